//! Files on a web server, read in ranges while they stream in.

use std::cell::RefCell;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::time::Duration;

use specter_web::folder::{File, Folder};
use specter_web::{Error, Result};
use ureq::Body;
use ureq::http::{Response, StatusCode, header};

/// A gap of this length is read over; for a longer one, a new request is cheaper.
const SKIP: u64 = 4 << 20;
/// A far range of this length, such as the end of an archive, gets a request of its own and leaves the stream alone.
const SMALL: u64 = 1 << 20;
/// How often a transfer that makes no progress is tried again.
const ATTEMPTS: u32 = 5;

/// The longest file that is read to its end where nobody says how long it is.
const MAX_UNKNOWN: u64 = 1 << 30;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// How often a request is sent elsewhere.
const REDIRECTS: u32 = 10;

/// The address of a folder.
#[derive(Clone)]
pub(crate) struct HttpFolder {
    agent: ureq::Agent,
    /// Ends in a slash.
    base: String,
    /// What follows a question mark, which may hold a key.
    query: String,
    name: String,
    /// For the folder's own server.
    headers: Vec<(String, String)>,
}

/// A file whose length is known and whose bytes stream in.
pub(crate) struct HttpFile {
    folder: HttpFolder,
    url: String,
    size: u64,
    etag: Option<String>,
    stream: RefCell<Stream>,
}

/// The rest of a file from a position on.
struct Stream {
    position: u64,
    body: Box<dyn Read>,
}

/// Headers may hold a key.
impl fmt::Debug for HttpFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFolder").field("base", &self.base).finish_non_exhaustive()
    }
}

impl HttpFolder {
    /// The folder at an address.
    pub(crate) fn new(base: &str, name: &str, headers: Vec<(String, String)>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Done here, because headers are for one server and not for whoever it sends a request to.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            .timeout_per_read(Some(Duration::from_mins(1)));
        let base = base.split('#').next().unwrap_or_default();
        let (path, query) = base.split_once('?').unwrap_or((base, ""));
        let base = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        Self { agent: config.build().into(), base, query: query.to_owned(), name: name.to_owned(), headers }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        origin(&self.base)
    }

    /// The same folder, which nobody sends headers to.
    pub(crate) fn without_headers(self) -> Self {
        Self { headers: Vec::new(), ..self }
    }

    /// Asks once, wherever it is sent.
    fn ask(&self, url: &str, range: Option<&str>) -> Result<Response<Body>, ureq::Error> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(&url);
            if origin(&url) == self.origin() {
                for (key, value) in &self.headers {
                    request = request.header(key, value);
                }
            }
            if let Some(range) = range {
                request = request.header(header::RANGE, range);
            }
            let response = request.call()?;
            match header_of(&response, header::LOCATION) {
                Some(location) if response.status().is_redirection() => url = joined(&url, &location),
                _ => return Ok(response),
            }
        }
        Err(ureq::Error::TooManyRedirects)
    }

    /// Asks for a file from a byte on; waits and asks again where the server is busy or out of reach.
    fn request(&self, url: &str, range: Option<(u64, Option<u64>)>) -> Result<Response<Body>> {
        let mut pause = Duration::from_millis(250);
        let range = range.map(|(start, end)| {
            let end = end.map_or(String::new(), |end| (end - 1).to_string());
            format!("bytes={start}-{end}")
        });
        for attempt in 1.. {
            let problem = match self.ask(url, range.as_deref()) {
                Ok(response) if !is_busy(response.status()) => return Ok(response),
                Ok(response) => {
                    let asked = header_of(&response, header::RETRY_AFTER);
                    let asked = asked.and_then(|wait| wait.parse().ok()).map(Duration::from_secs);
                    pause = pause.max(asked.unwrap_or(pause));
                    format!("it answered with {}", response.status())
                }
                Err(
                    error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects),
                ) => {
                    return Err(network(url, &error));
                }
                Err(error) => error.to_string(),
            };
            if attempt == ATTEMPTS {
                return Err(network(url, &problem));
            }
            std::thread::sleep(pause.min(MAX_PAUSE));
            pause *= 2;
        }
        Err(network(url, &"no attempt was made"))
    }
}

fn is_busy(status: StatusCode) -> bool {
    [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status) || status.is_server_error()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |end| host + end);
    url.get(..end).unwrap_or(url)
}

/// Where an address that was found at another one leads.
fn joined(base: &str, location: &str) -> String {
    let scheme = base.split("//").next().unwrap_or_default();
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(base))
    } else {
        let path = without_query(base);
        format!("{}/{location}", path.rsplit_once('/').map_or(path, |(folder, _)| folder))
    }
}

fn is_html(response: &Response<Body>) -> bool {
    header_of(response, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"))
}

fn length_of(response: &Response<Body>) -> Option<u64> {
    header_of(response, header::CONTENT_LENGTH)?.parse().ok()
}

/// The address without what may hold a key.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn network(url: &str, problem: &dyn fmt::Display) -> Error {
    let address = without_query(url);
    Error::Source {
        code: "network".to_owned(),
        message: format!("{address} could not be read: {problem}. Check the connection and the address."),
        file: None,
    }
}

fn header_of(response: &Response<Body>, name: header::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

impl Folder for HttpFolder {
    type File = HttpFile;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, file: &str) -> Result<Option<HttpFile>> {
        let separator = if self.query.is_empty() { "" } else { "?" };
        let url = format!("{}{file}{separator}{}", self.base, self.query);
        let response = self.request(&url, None)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Error::Source {
                    code: "model-not-found".to_owned(),
                    message: format!(
                        "{} may not be read ({}). Check the model's name; a private or gated one needs --header \
                         \"Authorization: Bearer …\".",
                        without_query(&url),
                        response.status()
                    ),
                    file: Some(file.to_owned()),
                });
            }
            status => return Err(network(&url, &format!("it answered with {status}"))),
        }
        // Single-page hosts answer any path with their start page; no file of a model is HTML.
        if is_html(&response) {
            return Ok(None);
        }
        let etag = header_of(&response, header::ETAG);
        let length = length_of(&response);
        let mut body: Box<dyn Read> = Box::new(response.into_body().into_reader());
        let size = if let Some(size) = length {
            size
        } else {
            // Nobody says how long it is but its end.
            let mut whole = Vec::new();
            let read = (&mut body).take(MAX_UNKNOWN).read_to_end(&mut whole);
            read.map_err(|error| network(&url, &error))?;
            if whole.len() as u64 == MAX_UNKNOWN {
                return Err(network(&url, &"its server does not say how long it is, and it does not end"));
            }
            let size = whole.len() as u64;
            body = Box::new(std::io::Cursor::new(whole));
            size
        };
        let stream = RefCell::new(Stream { position: 0, body });
        Ok(Some(HttpFile { folder: self.clone(), url, size, etag, stream }))
    }
}

impl HttpFile {
    /// The bytes from a position on, or up to an end.
    fn open_at(&self, start: u64, end: Option<u64>) -> Result<Box<dyn Read>> {
        let response = self.folder.request(&self.url, Some((start, end)))?;
        let etag = header_of(&response, header::ETAG);
        let mut stream = Stream { position: 0, body: Box::new(std::io::empty()) };
        let same_size = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                stream.position = start;
                let range = header_of(&response, header::CONTENT_RANGE).unwrap_or_default();
                let begins =
                    range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse().ok());
                if begins != Some(start) {
                    return Err(network(&self.url, &"its server answered with another range"));
                }
                let total = range.rsplit('/').next().and_then(|total| total.parse().ok());
                total.is_none_or(|total: u64| total == self.size)
            }
            // The server knows no ranges; what lies in front is read over.
            StatusCode::OK => {
                !is_html(&response) && length_of(&response).is_none_or(|length| length == self.size)
            }
            status => return Err(network(&self.url, &format!("it answered with {status}"))),
        };
        if !same_size || (etag.is_some() && self.etag.is_some() && etag != self.etag) {
            return Err(Error::Source {
                code: "corrupt-file".to_owned(),
                message: format!(
                    "{} changed while it was downloaded. Start again.",
                    without_query(&self.url)
                ),
                file: None,
            });
        }
        stream.body = Box::new(response.into_body().into_reader());
        stream.skip_to(start).map_err(|error| network(&self.url, &error))?;
        Ok(stream.body)
    }

    /// Reads a range from the stream, which is opened anew where it is elsewhere or has broken off.
    fn read_streaming(&self, range: &Range<u64>) -> Result<Vec<u8>> {
        let mut stream = self.stream.borrow_mut();
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut idle = 0;
        loop {
            let wanted = range.start + bytes.len() as u64;
            if wanted == range.end {
                return Ok(bytes);
            }
            let before = (stream.position, bytes.len());
            let near = stream.position <= wanted && wanted - stream.position <= SKIP;
            let result = if near { stream.skip_to(wanted) } else { Err(ErrorKind::NotSeekable.into()) };
            let result = result.and_then(|()| stream.read_to(range.end, &mut bytes));
            if let Err(error) = result {
                idle = if near && before == (stream.position, bytes.len()) { idle + 1 } else { 0 };
                if idle == ATTEMPTS {
                    return Err(network(&self.url, &error));
                }
                let wanted = range.start + bytes.len() as u64;
                *stream = Stream { position: wanted, body: self.open_at(wanted, None)? };
            }
        }
    }
}

impl Stream {
    fn skip_to(&mut self, position: u64) -> std::io::Result<()> {
        let gap = position - self.position;
        let skipped = std::io::copy(&mut (&mut self.body).take(gap), &mut std::io::sink());
        self.position += skipped.as_ref().copied().unwrap_or(0);
        if skipped? == gap { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Appends the bytes up to a position; what came before an error is kept.
    fn read_to(&mut self, end: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let before = bytes.len();
        let read = (&mut self.body).take(end - self.position).read_to_end(bytes);
        self.position += (bytes.len() - before) as u64;
        read?;
        if self.position == end { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

impl File for HttpFile {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let position = self.stream.borrow().position;
        if range.start > position + SKIP && range.end - range.start <= SMALL {
            let length = range.end - range.start;
            let mut bytes = Vec::new();
            let mut body = self.open_at(range.start, Some(range.end))?.take(length);
            if body.read_to_end(&mut bytes).is_ok() && bytes.len() as u64 == length {
                return Ok(bytes);
            }
            // The stream tries again where this one has broken off.
        }
        self.read_streaming(&range)
    }
}
