//! A minimal HTTP/1.1: reads requests, and writes responses byte by byte.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::core::Request;
use super::reply::Reply;

/// Maximum length of a request's head in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Maximum length of a request in bytes, framing included.
const MAX_REQUEST: usize = 32 * 1024 * 1024;

const MAX_HEADERS: usize = 100;

/// Whether a header frames a message. The server sets these headers itself.
pub(super) fn is_framing(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ]
    .contains(name)
}

/// Reads one whole request. `None` if the client closes the connection without sending a byte.
pub(super) async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut buffer = Vec::new();
    let (mut request, head) = loop {
        if let Some(parsed) = parse_head(&buffer)? {
            break parsed;
        }
        if buffer.len() > MAX_HEAD {
            return Err(malformed("the head is too large"));
        }
        if !read_more(stream, &mut buffer).await? {
            return if buffer.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    };
    if request
        .headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    buffer.drain(..head);
    request.body = loop {
        if let Some(body) = parse_body(&request.headers, &buffer)? {
            break body;
        }
        if buffer.len() > MAX_REQUEST {
            return Err(malformed("the body is too large"));
        }
        if !read_more(stream, &mut buffer).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    Ok(Some(request))
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.reserve(16 * 1024);
    Ok(stream.read_buf(buffer).await? > 0)
}

/// The request without its body and the length of its head. `None` while the head is incomplete.
fn parse_head(buffer: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(buffer).map_err(malformed)? else {
        return Ok(None);
    };
    let method =
        Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(malformed)?;
    let target = parsed.path.unwrap_or_default();
    let target = target.strip_prefix("http://").map_or(target, |rest| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let mut headers = HeaderMap::new();
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
        headers.append(
            name,
            HeaderValue::from_bytes(header.value).map_err(malformed)?,
        );
    }
    let request = Request {
        method,
        path: path.to_owned(),
        query,
        headers,
        body: Bytes::new(),
    };
    Ok(Some((request, length)))
}

/// The body. `None` while it is incomplete.
fn parse_body(headers: &HeaderMap, buffer: &[u8]) -> io::Result<Option<Bytes>> {
    let chunked = headers
        .get(header::TRANSFER_ENCODING)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if chunked {
        return parse_chunks(buffer);
    }
    let length = match headers.get(header::CONTENT_LENGTH) {
        Some(value) => value
            .to_str()
            .map_err(malformed)?
            .parse()
            .map_err(malformed)?,
        None => 0,
    };
    Ok(buffer.get(..length).map(Bytes::copy_from_slice))
}

fn parse_chunks(mut buffer: &[u8]) -> io::Result<Option<Bytes>> {
    let mut body = Vec::new();
    loop {
        let status = httparse::parse_chunk_size(buffer)
            .map_err(|_| malformed("the chunk size is invalid"))?;
        let httparse::Status::Complete((start, size)) = status else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(malformed)?;
        if size == 0 {
            // Trailers, if any, end with an empty line.
            let trailers = buffer.get(start..).unwrap_or_default();
            let complete = trailers.starts_with(b"\r\n")
                || trailers.windows(4).any(|window| window == b"\r\n\r\n");
            return Ok(complete.then(|| body.into()));
        }
        let end = start.checked_add(size).and_then(|end| end.checked_add(2));
        let end = end.ok_or_else(|| malformed("the chunk is too large"))?;
        let Some(chunk) = buffer.get(start..end) else {
            return Ok(None);
        };
        body.extend_from_slice(
            chunk
                .strip_suffix(b"\r\n")
                .ok_or_else(|| malformed("the chunk has no end"))?,
        );
        buffer = buffer.get(end..).unwrap_or_default();
    }
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The framing of a response's body.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// The head of a response, including the empty line.
pub(super) fn head(reply: &Reply, framing: Framing) -> Vec<u8> {
    let status = reply.status;
    let mut head = format!(
        "HTTP/1.1 {} {}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    )
    .into_bytes();
    for (name, value) in reply.headers.iter().filter(|(name, _)| !is_framing(name)) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let bodiless = status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    match framing {
        Framing::Length(_) if bodiless => {}
        Framing::Length(length) => {
            head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head
}
