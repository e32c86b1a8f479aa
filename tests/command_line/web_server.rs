//! A web server on the loopback interface that serves one folder, and can misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the server does beside serving.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Cuts each connection after so many bytes of a body.
    pub(crate) cut_after: Option<usize>,
    /// Has only weights below this path.
    pub(crate) weights_below: Option<&'static str>,
    /// Answers requests for ranges with the whole file.
    pub(crate) no_ranges: bool,
    /// Refuses the first requests because there are too many.
    pub(crate) busy: usize,
    /// Answers 401 without this header.
    pub(crate) authorization: Option<&'static str>,
    /// Sends the request elsewhere first: to another path, or to another server.
    pub(crate) redirect: bool,
    pub(crate) elsewhere: Option<&'static str>,
}

/// A running server; its thread ends with the test.
pub(crate) struct WebServer {
    pub(crate) address: String,
    /// `path range` of each request, and `authorized` where it came with a key.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// Serves files by the end of their path.
    pub(crate) fn start(folder: &Path, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let files: BTreeMap<String, Vec<u8>> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it is listed"))
            .filter(|entry| entry.path().is_file())
            .map(|entry| {
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    std::fs::read(entry.path()).expect("it reads"),
                )
            })
            .collect();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut manners = manners;
            for stream in listener.incoming().flatten() {
                // A client that goes away early is no failure of the server.
                let _ = answer(stream, &files, &mut manners, &kept);
            }
        });
        Self { address, log }
    }
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    manners: &mut Manners,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new((&mut stream).take(16 << 10)).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let mut found = headers.iter().filter_map(|line| line.split_once(": "));
        found.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = header("range");
    let key = if header("authorization").or(header("x-key")).is_some() { " authorized" } else { "" };
    log.lock().expect("nobody panicked").push(format!("{path} {}{key}", range.as_deref().unwrap_or("whole")));

    let mut head = |status: &str, more: &str| {
        stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n").as_bytes())
    };
    if manners.busy > 0 {
        manners.busy -= 1;
        return head("429 Too Many Requests", "Retry-After: 0\r\nContent-Length: 0\r\n");
    }
    if manners.authorization.is_some() && header("authorization").as_deref() != manners.authorization {
        return head("401 Unauthorized", "Content-Length: 0\r\n");
    }
    if manners.redirect && !path.contains("/elsewhere/") {
        let server = manners.elsewhere.unwrap_or_default();
        return head("302 Found", &format!("Location: {server}/elsewhere{path}\r\nContent-Length: 0\r\n"));
    }
    let name = path.split('?').next().and_then(|path| path.rsplit('/').next());
    let lacks = manners.weights_below.is_some_and(|below| path.starts_with(below))
        && name.is_none_or(|name| name != "model.safetensors");
    let Some(bytes) = name.filter(|_| !lacks).and_then(|name| files.get(name)) else {
        return head("404 Not Found", "Content-Length: 0\r\n");
    };
    let range = range.filter(|_| !manners.no_ranges).and_then(|range| {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        let start: usize = start.parse().ok()?;
        Some((start, end.parse().map_or(bytes.len(), |end: usize| (end + 1).min(bytes.len()))))
    });
    let (start, end) = range.unwrap_or((0, bytes.len()));
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    let total = bytes.len();
    let described = match range {
        Some(_) => format!("Content-Range: bytes {start}-{}/{total}\r\n", end - 1),
        None => String::new(),
    };
    head(status, &format!("ETag: \"one\"\r\nContent-Length: {}\r\n{described}", end - start))?;
    let body = bytes.get(start..end).unwrap_or_default();
    stream.write_all(body.get(..manners.cut_after.unwrap_or(body.len()).min(body.len())).unwrap_or_default())
}
