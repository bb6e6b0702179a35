//! The few instructions of eBPF that we need: the kernel's bpf/standardization/instruction-set.rst.

// ANCHOR: instruction
/// One instruction, as bpf(2) takes it (struct bpf_insn in linux/bpf.h).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    /// The register that is changed or compared; in the upper four bits, the one that it is compared with.
    registers: u8,
    /// How many instructions to skip, or where in memory to load from.
    offset: i16,
    immediate: i32,
}
// ANCHOR_END: instruction

// ANCHOR: registers
/// A register. The kernel passes the argument in the first one, and takes the answer from the zeroth.
#[derive(Clone, Copy)]
pub struct Register(u8);
// ANCHOR_END: registers

pub const ANSWER: Register = Register(0);
pub const ARGUMENT: Register = Register(1);
pub const KIND: Register = Register(2);
pub const ACCESS: Register = Register(3);
pub const MAJOR: Register = Register(4);
pub const MINOR: Register = Register(5);
pub const SCRATCH: Register = Register(6);

// A class, an operation, and where the other operand comes from.
const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const SET: u8 = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
const COPY: u8 = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const JUMP_IF_EQUAL: u8 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_NOT: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const JUMP_IF_DIFFERENT: u8 = 0x5d; // BPF_JMP | BPF_JNE | BPF_X
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// `to` = the 32-bit word at `offset` of the memory that `from` points to.
pub const fn load_word(to: Register, from: Register, offset: i16) -> Instruction {
    instruction(LOAD_WORD, to.0 | from.0 << 4, offset, 0)
}

/// `register` &= `bits`
pub const fn and(register: Register, bits: i32) -> Instruction {
    instruction(AND, register.0, 0, bits)
}

/// `register` >>= `bits`
pub const fn shift_right(register: Register, bits: i32) -> Instruction {
    instruction(SHIFT_RIGHT, register.0, 0, bits)
}

/// `register` = `value`
pub const fn set(register: Register, value: i32) -> Instruction {
    instruction(SET, register.0, 0, value)
}

/// `to` = `from`
pub const fn copy(to: Register, from: Register) -> Instruction {
    instruction(COPY, to.0 | from.0 << 4, 0, 0)
}

/// Skips `count` instructions if `register` is `value`.
pub const fn skip_if(register: Register, value: i32, count: i16) -> Instruction {
    instruction(JUMP_IF_EQUAL, register.0, count, value)
}

/// Skips `count` instructions if `register` is not `value`.
pub const fn skip_unless(register: Register, value: i32, count: i16) -> Instruction {
    instruction(JUMP_IF_NOT, register.0, count, value)
}

/// Skips `count` instructions if the registers differ.
pub const fn skip_if_different(left: Register, right: Register, count: i16) -> Instruction {
    instruction(JUMP_IF_DIFFERENT, left.0 | right.0 << 4, count, 0)
}

/// Ends the program.
pub const fn exit() -> Instruction {
    instruction(EXIT, 0, 0, 0)
}

const fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> Instruction {
    // In the kernel's struct, these are two bit fields, which trade places with the byte order.
    let registers = if cfg!(target_endian = "big") {
        registers.rotate_left(4)
    } else {
        registers
    };
    Instruction {
        code,
        registers,
        offset,
        immediate,
    }
}
