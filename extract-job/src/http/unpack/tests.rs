use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

const TEXT: &str = r#"{"items": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Ada"}]}"#;
/// The text behind a byte order mark.
const BROTLI: [u8; 64] = [
    27, 65, 0, 248, 157, 5, 118, 44, 155, 148, 134, 198, 97, 96, 190, 18, 108, 22, 183, 6, 33, 219, 123, 223, 65, 97,
    187, 191, 90, 36, 70, 102, 107, 179, 232, 116, 245, 1, 135, 220, 238, 154, 99, 96, 113, 96, 109, 117, 0, 41, 152,
    241, 135, 190, 231, 208, 153, 40, 136, 67, 26, 202, 185, 1,
];
/// 8 MiB of spaces.
const BROTLI_BOMB: [u8; 14] = [203, 255, 255, 63, 248, 37, 64, 226, 177, 64, 32, 247, 254, 111];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

fn unpacked(encoding: &str, pieces: std::slice::Chunks<'_, u8>, most: usize) -> Result<Vec<u8>, ExchangeError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
    let mut unpacker = Unpacker::new(&mut headers, true, &Buffers::default(), 0, Most::Allowed(most))?;
    for piece in pieces {
        unpacker.push(piece)?;
    }
    unpacker.finish().map(|(body, _)| body.to_vec())
}

/// How texts are packed, by each name that a server may use.
fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (first, second) = text.split_at(text.len() / 3);
    vec![
        ("identity", text.to_vec()),
        ("gzip", gzip(text)),
        ("X-GZIP", gzip(text)),
        ("gzip", [gzip(first), gzip(second)].concat()),
        ("deflate", zlib(text)),
        ("deflate", deflate(text)),
        ("zstd", zstd(text)),
        ("identity, zstd", [zstd(first), zstd(second)].concat()),
    ]
}

#[test]
fn every_packing_is_read_whatever_pieces_it_comes_in() {
    let marked = format!("\u{feff}{TEXT}");
    let long = TEXT.repeat(20_000);
    let cases = [(marked.as_str(), TEXT), (TEXT, TEXT), (long.as_str(), long.as_str())].into_iter();
    let mut cases: Vec<_> = cases
        .flat_map(|(text, expected)| {
            packed(text.as_bytes()).into_iter().map(move |(encoding, bytes)| (encoding, bytes, expected))
        })
        .collect();
    cases.push(("br", BROTLI.to_vec(), TEXT));
    for (encoding, bytes, expected) in cases {
        for size in [1, 7, bytes.len()] {
            let body = unpacked(encoding, bytes.chunks(size), 1 << 30).unwrap();
            assert!(body == expected.as_bytes(), "{encoding} in pieces of {size}");
        }
    }
}

#[test]
fn what_is_cut_or_damaged_is_no_body() {
    let mut cases = packed(TEXT.as_bytes());
    cases.push(("br", BROTLI.to_vec()));
    for (encoding, bytes) in cases.into_iter().filter(|(encoding, _)| *encoding != "identity") {
        for length in [1, 2, bytes.len() / 2, bytes.len() - 1] {
            // Of two members or frames a cut may leave the first one whole, and that is where an answer may end.
            match unpacked(encoding, bytes[..length].chunks(5), 1 << 30) {
                Err(ExchangeError::Transport(why)) => assert!(why.contains("broke off"), "{why}"),
                other => panic!("{encoding}, {length} of {}: {other:?}", bytes.len()),
            }
        }
        let noise = unpacked(encoding, b"<html>not packed at all</html>".chunks(4), 1 << 30);
        assert!(matches!(noise, Err(ExchangeError::Transport(_))), "{encoding}: {noise:?}");
    }
}

#[test]
fn a_bomb_is_stopped_at_the_bound() {
    let spaces = vec![b' '; 8 << 20];
    let mut cases = packed(&spaces);
    cases.push(("br", BROTLI_BOMB.to_vec()));
    for (encoding, bytes) in cases {
        assert_eq!(unpacked(encoding, bytes.chunks(1 << 20), 8 << 20).unwrap().len(), 8 << 20, "{encoding}");
        let refused = unpacked(encoding, bytes.chunks(1 << 20), 3 << 20).unwrap_err().to_string();
        assert!(refused.starts_with("the answer is larger than 3 MiB, uncompressed"), "{encoding}: {refused}");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        let shown = Most::Shown(3 << 20);
        let mut unpacker = Unpacker::new(&mut headers, false, &Buffers::default(), 0, shown).unwrap();
        unpacker.push(&bytes).unwrap();
        assert!(unpacker.is_cut(), "{encoding}");
        assert_eq!(unpacker.finish().unwrap().0.len(), 3 << 20, "{encoding}: of an error's body the beginning");
    }
}

#[test]
fn of_an_error_the_beginning_is_enough() {
    let text = format!("\u{feff}{TEXT}");
    let mut cases = packed(text.as_bytes());
    cases.push(("br", BROTLI.to_vec()));
    for (encoding, bytes) in cases {
        let most = 3 + TEXT.len() - 10;
        for (sent, most) in [(&bytes[..], most), (&bytes[..bytes.len() - 1], 1 << 20)] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
            let shown = Most::Shown(most);
            let mut unpacker = Unpacker::new(&mut headers, false, &Buffers::default(), 0, shown).unwrap();
            unpacker.push(sent).unwrap();
            let (body, is_cut) = unpacker.finish().unwrap();
            assert!(TEXT.as_bytes().starts_with(&body), "{encoding}: {body:?}");
            assert_eq!(is_cut, encoding != "identity" || sent.len() == bytes.len(), "{encoding}");
        }
    }
}

#[test]
fn other_encodings_are_named_where_they_matter() {
    for (value, named) in [("compress", "`compress`"), ("gzip, br", "`gzip, br`"), ("DCB", "`dcb`")] {
        let refused = unpacked(value, b"x".chunks(1), 100).unwrap_err().to_string();
        assert!(refused.contains(&format!("in encoding {named}, which cannot be read")), "{refused}");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, value.parse().unwrap());
        let mut unpacker = Unpacker::new(&mut headers, false, &Buffers::default(), 0, Most::Allowed(100)).unwrap();
        unpacker.push(b"x").unwrap();
        assert!(unpacker.finish().unwrap().0.is_empty(), "the body of an error");
    }
    for value in ["gzip", "br", "deflate", "zstd", "identity"] {
        assert!(unpacked(value, b"".chunks(1), 100).unwrap().is_empty(), "{value}: an empty body is packed in nothing");
    }
}
