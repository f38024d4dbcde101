//! Output for people. Control characters are escaped, and a closed output does not end the program.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// The additional indent of a wrapped line, in spaces.
const INDENT: usize = 2;

/// Writes lines to standard output. A closed output, as in `| head -1`, is not an error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = width(&out);
    let written = writeln!(out, "{}", laid_out(text, width)).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| {
            let text = format!("standard output cannot be written: {error}");
            io::Error::new(error.kind(), text)
        }),
    }
}

/// Writes lines to standard error. A failure is ignored.
pub(crate) fn tell(text: &str) {
    let mut err = io::stderr().lock();
    let width = width(&err);
    let _ = writeln!(err, "{}", laid_out(text, width));
}

/// A text from outside the program, escaped, on one line.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, |_| false)
}

pub(crate) fn laid_out(text: &str, width: Option<usize>) -> String {
    let text = escaped(text, |character| character == '\n');
    match width {
        Some(width) => wrapped(&text, width),
        None => text,
    }
}

/// Escapes the characters that control a terminal, except those that `is_meant` accepts.
fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if (character.is_control() || turns_text(character)) && !is_meant(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character changes the text direction, has no width, or ends a line, without being a control character.
fn turns_text(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Wraps lines between words. A line indented by four spaces is a command and is not wrapped.
fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| match line.starts_with("    ") {
        true => line.to_owned(),
        false => wrapped_line(line, width),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = line.len() - words.len();
    let mut wrapped = " ".repeat(indent);
    let mut used = indent;
    for (place, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if place > 0 && used + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent + INDENT));
            used = indent + INDENT;
        } else if place > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += length;
    }
    wrapped
}

#[cfg(unix)]
fn width(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let size = terminal_size::terminal_size_of(stream).filter(|_| stream.is_terminal());
    size.map(|(width, _)| usize::from(width.0))
}

#[cfg(not(unix))]
fn width(stream: &impl IsTerminal) -> Option<usize> {
    let size = terminal_size::terminal_size().filter(|_| stream.is_terminal());
    size.map(|(width, _)| usize::from(width.0))
}
