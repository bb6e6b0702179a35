// A terminal session is copied as one would type it: its commands, without prompts and output.
// What is typed into a command follows it as a here-document.
function commands(session) {
    const copied = [];
    let typed = [], reading = false;
    const close = () => {
        if (typed.length) {
            copied[copied.length - 1] += " <<'EOF'";
            copied.push(...typed, 'EOF');
        }
        typed = [];
    };
    for (const line of session.split('\n')) {
        const text = line.slice(2);
        if (line.startsWith('$ ')) {
            close();
            copied.push(text);
            reading = true;
        } else if (reading && line.startsWith('> ') && !typed.length) {
            copied.push(text);
        } else if (reading && line.startsWith('# ')) {
            typed.push(text);
        } else {
            reading = false;
        }
    }
    close();
    return copied.join('\n') + '\n';
}

// This function of mdBook's says what its copy button copies.
const everything = window.playground_text;
window.playground_text = (block, hidden) => {
    const text = block.querySelector('code').textContent;
    return text.startsWith('$ ') ? commands(text) : everything(block, hidden);
};

// An option, such as --rm, is not torn apart at its hyphens. Only a long name is, after a slash or underscore.
document.querySelectorAll('main :not(pre) > code').forEach(code => {
    const cell = code.closest('td');
    const room = cell ? 14 : 25;
    const end = cell ? /((?<=\w[/._])(?=\w))/ : /((?<=\w[/_])(?=\w))/;
    const whole = text => {
        const span = document.createElement('span');
        span.style.whiteSpace = 'nowrap';
        span.append(text);
        return span;
    };
    const parts = text => text.split(end).map(part => part || document.createElement('wbr'));
    const text = code.textContent;
    const words = text.length < room ? [text] : text.split(/( )/);
    code.replaceChildren(...words.flatMap(word => word !== ' ' && word.length < room ? whole(word) : parts(word)));
});

// A diff shows where each file begins.
function markFiles(code) {
    code.innerHTML = code.innerHTML.replace(/^diff --git .*$/gm, '<b>$&</b>');
}

// Whole diffs are packed (see pack.py). Until a diff is unpacked, its place has the height that it will need: the
// browser may be on its way to a heading below, or back to where it was. If unpacking fails, what stands there instead
// says where to read the diff.
async function unpack(code) {
    code.style.minHeight = `${code.dataset.lines}lh`;
    try {
        const bytes = Uint8Array.from(atob(code.dataset.packed), byte => byte.charCodeAt(0));
        const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
        code.textContent = await new Response(text).text();
        hljs.highlightBlock(code);
        markFiles(code);
    } finally {
        code.style.minHeight = '';
    }
}

document.querySelectorAll('code.language-diff').forEach(code => (code.dataset.packed ? unpack : markFiles)(code));

// A phone shows only a part of a drawing at a time. Alone, a drawing fits the screen, and two fingers make it larger.
document.querySelectorAll('figure').forEach(figure => {
    const drawing = new XMLSerializer().serializeToString(figure.querySelector('svg'));
    const caption = document.createElement('figcaption'), link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([drawing], { type: 'image/svg+xml' }));
    link.textContent = 'open the drawing alone';
    caption.append('Scroll sideways, turn your phone, or ', link, '.');
    figure.append(caption);
});

// Printing opens what is folded, and folds it again.
let opened = [];
window.addEventListener('beforeprint', () => {
    opened = Array.from(document.querySelectorAll('details:not([open])'));
    opened.forEach(fold => { fold.open = true; });
});
window.addEventListener('afterprint', () => opened.forEach(fold => { fold.open = false; }));
