//! HTTP/1.1, as far as the tests' registry speaks it, and its faults on the wire.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::images::registry::{Fault, Reply, Request};

/// None if the caller has hung up.
pub fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut lines = reader.lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

/// None if the connection has to end.
pub fn send(
    mut caller: &TcpStream,
    request: &Request,
    mut reply: Reply,
    fault: Option<Fault>,
) -> Option<()> {
    match &fault {
        Some(Fault::Answer(other)) => reply = other.clone(),
        Some(Fault::HangUp) => return None,
        Some(Fault::Header(name, value)) => reply = reply.with(name, value),
        Some(Fault::NoHeader(name)) => reply = reply.without(name),
        Some(Fault::Flip) => {
            let middle = reply.body.len() / 2;
            reply.body[middle] ^= 1;
        }
        _ => (),
    }
    let in_chunks = matches!(fault, Some(Fault::Chunked | Fault::Endless));
    let (name, value) = match in_chunks {
        true => ("Transfer-Encoding", "chunked".to_owned()),
        false => ("Content-Length", reply.body.len().to_string()),
    };
    if !reply.headers.iter().any(|(other, _)| other == name) {
        reply = reply.with(name, &value);
    }
    let mut head = format!("HTTP/1.1 {} Answer\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    caller.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    send_body(caller, &reply.body, fault)
}

fn send_body(mut caller: &TcpStream, body: &[u8], fault: Option<Fault>) -> Option<()> {
    let chunk = |mut caller: &TcpStream, part: &[u8]| {
        let size = format!("{:x}\r\n", part.len());
        let chunk = [size.as_bytes(), part, b"\r\n"].concat();
        caller.write_all(&chunk).ok()
    };
    match fault {
        Some(Fault::Cut) => {
            caller.write_all(&body[..body.len() / 2]).ok()?;
            None
        }
        Some(Fault::Stall) => {
            caller.write_all(&body[..body.len() / 2]).ok()?;
            thread::sleep(Duration::from_secs(600));
            None
        }
        Some(Fault::Slow(pause)) => body.chunks(4096).try_for_each(|part| {
            thread::sleep(Duration::from_millis(pause));
            caller.write_all(part).ok()
        }),
        Some(Fault::Chunked) => {
            let parts = body.chunks(8192);
            parts
                .chain([&b""[..]])
                .try_for_each(|part| chunk(caller, part))
        }
        Some(Fault::Endless) => {
            let mut rest = (256 << 20) / body.len().max(1);
            while rest > 0 {
                chunk(caller, body)?;
                rest -= 1;
            }
            None
        }
        _ => caller.write_all(body).ok(),
    }
}
