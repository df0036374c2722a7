//! The parts of a `multipart/related` body: the resource, the bytes, and sometimes the hashes behind them.

use bytes::Bytes;

use super::reply::Refusal;

/// One part: its headers as text, and its bytes.
#[derive(Debug)]
pub(crate) struct Part {
    headers: String,
    pub(crate) body: Bytes,
}

impl Part {
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim())
        })
    }
}

/// Splits a body by the boundary that its content type names.
pub(crate) fn parts(content_type: &str, body: &Bytes) -> Result<Vec<Part>, Refusal> {
    let broken = || Refusal::bad("Malformed multipart body.");
    let boundary = boundary(content_type).ok_or_else(broken)?;
    let opening = format!("--{boundary}");
    let mut at = find(body, opening.as_bytes(), 0).ok_or_else(broken)? + opening.len();
    // Some clients end lines with a bare line feed; then all lines do.
    let line_end: &[u8] = if body.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n")) { b"\r\n" } else { b"\n" };
    let delimiter = [line_end, opening.as_bytes()].concat();
    let blank = [line_end, line_end].concat();
    let mut parts = Vec::new();
    while body.get(at..).is_some_and(|rest| rest.starts_with(line_end)) {
        let end = find(body, &delimiter, at).ok_or_else(broken)?;
        // A part without headers begins with its blank line.
        let headers_end = find(body, &blank, at).filter(|found| found + blank.len() <= end).ok_or_else(broken)?;
        let headers = String::from_utf8_lossy(body.get(at..headers_end).unwrap_or_default()).into_owned();
        parts.push(Part { headers, body: body.slice(headers_end + blank.len()..end) });
        at = end + delimiter.len();
    }
    if body.get(at..).is_some_and(|rest| rest.starts_with(b"--")) { Ok(parts) } else { Err(broken()) }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/related") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches(['"', '\''])).filter(|value| !value.is_empty())
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(what.len()).position(|window| window == what).map(|index| from + index)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn split(content_type: &str, body: &'static [u8]) -> Option<Vec<(Option<String>, Bytes)>> {
        let parts = parts(content_type, &Bytes::from_static(body)).ok()?;
        Some(parts.into_iter().map(|part| (part.content_type().map(str::to_owned), part.body)).collect())
    }

    #[test]
    fn both_kinds_of_line_ends() {
        let crlf = b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n\r\nx\r\n\ry\r\n--b--\r\n";
        let json = Some("application/json".to_owned());
        let expected = vec![(json.clone(), Bytes::from_static(b"{}")), (None, Bytes::from_static(b"x\r\n\ry"))];
        assert_eq!(split("multipart/related; boundary=b", crlf).unwrap(), expected);
        let lf = b"--=b=\ncontent-type: application/json\n\n{}\n--=b=\n\nend\r\n--=b=--";
        let expected = vec![(json, Bytes::from_static(b"{}")), (None, Bytes::from_static(b"end\r"))];
        assert_eq!(split("multipart/related; boundary=\"=b=\"", lf).unwrap(), expected);
    }

    #[test]
    fn broken_bodies() {
        for body in [&b"--b\r\n\r\n{}\r\n"[..], b"", b"--b\r\n\r\n{}\r\n--b", b"--c\r\n\r\n{}\r\n--c--"] {
            assert_eq!(split("multipart/related; boundary=b", body), None, "{body:?}");
        }
        assert_eq!(split("multipart/form-data; boundary=b", b"--b\r\n\r\n{}\r\n--b--"), None);
    }
}
