//! A client of the server's API: finds the server that runs, asks it, and reads its stream.

use anyhow::Context as _;
use clap::Args as ClapArgs;
use glassbox::telemetry::address::ServerAddress;
use glassbox::telemetry::config;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Which server is meant.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ServerArgs {
    /// The server's address, as glassbox serve prints it [default: GLASSBOX_SERVER, else the server that runs]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// The server answered, and will answer the same if it is asked again.
#[derive(Debug)]
pub(crate) struct Refused {
    message: String,
    status: StatusCode,
}

impl Refused {
    /// What is asked for is not there, or not any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// What was sent is at fault, and not who sent it.
    pub(crate) fn is_about_body(&self) -> bool {
        matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// A connection to a server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: ServerAddress,
}

impl ServerArgs {
    /// Finds the server.
    pub(crate) fn address(&self) -> anyhow::Result<ServerAddress> {
        let running = config::server()?;
        let Some(url) = &self.server else {
            return running.context("no server runs; start one with: glassbox serve");
        };
        let mut url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .context("--server is no address; type one such as http://localhost:4318")?;
        // The address as it is printed has the token in it.
        let token = url.query_pairs().find(|(key, _)| key == "token");
        let token = token.map(|(_, token)| token.into_owned());
        url.set_query(None);
        url.set_path("");
        let address = ServerAddress::new(url.as_str());
        let known = running.filter(|running| running.url == address.url);
        Ok(match (token, known) {
            (Some(token), _) => address.with_secret(token),
            (None, Some(known)) => known,
            (None, None) => match crate::config::server_key() {
                Some(key) => address.with_secret(key),
                None => address,
            },
        })
    }

    pub(crate) fn connect(&self) -> anyhow::Result<Client> {
        Client::new(self.address()?)
    }
}

impl Client {
    pub(crate) fn new(address: ServerAddress) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        if Url::parse(&address.url)?
            .host_str()
            .is_some_and(glassbox::telemetry::loopback::is_loopback)
        {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, address })
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.address.url
    }

    fn request(&self, request: RequestBuilder) -> anyhow::Result<RequestBuilder> {
        let mut headers = HeaderMap::new();
        if let Some(value) = self.address.authorization() {
            let value = HeaderValue::try_from(value.expose_secret());
            let mut value = value.context("GLASSBOX_SERVER_KEY cannot stand in a header")?;
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        Ok(request.headers(headers))
    }

    /// Asks for JSON. What is asked for is a path and a query.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = self.request(self.http.get(self.at(path, query)?))?;
        self.answer(request.timeout(Duration::from_secs(60))).await
    }

    /// Asks for JSON, and for a header of the answer that is a count; none is 0.
    pub(crate) async fn get_with_count(
        &self,
        path: &str,
        name: HeaderName,
    ) -> anyhow::Result<(Value, usize)> {
        let request = self.request(self.http.get(self.at(path, &[])?))?;
        let response = self.send(request.timeout(Duration::from_secs(60))).await?;
        let count =
            response.headers().get(name).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok((self.json(response).await?, count.unwrap_or_default()))
    }

    /// Asks for what has a name, of whatever characters, below a path.
    pub(crate) async fn get_below(&self, path: &str, name: &str) -> anyhow::Result<Value> {
        let mut url = self.at(path, &[])?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        let request = self.request(self.http.get(url))?;
        self.answer(request.timeout(Duration::from_secs(60))).await
    }

    /// Asks for nothing but a header of the answer.
    pub(crate) async fn header(
        &self,
        path: &str,
        name: HeaderName,
    ) -> anyhow::Result<Option<String>> {
        let request = self.request(self.http.get(self.at(path, &[])?))?;
        let response = self.send(request.timeout(Duration::from_secs(10))).await?;
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(value.map(str::to_owned))
    }

    /// Posts a body.
    pub(crate) async fn post(&self, path: &str, body: String) -> anyhow::Result<Value> {
        let request = self.request(self.http.post(self.at(path, &[])?))?;
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        self.answer(request.timeout(Duration::from_secs(60))).await
    }

    /// Begins to read the stream, after an event that was read before.
    pub(crate) async fn stream(
        &self,
        filter: &str,
        last: Option<&str>,
    ) -> anyhow::Result<crate::events::Events> {
        let mut request =
            self.request(self.http.get(self.at("/api/v1/stream", &[("q", filter)])?))?;
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.send(request).await?;
        Ok(crate::events::Events::new(response))
    }

    fn at(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Url> {
        let mut url = Url::parse(&format!("{}{path}", self.url()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = self.send(request).await?;
        self.json(response).await
    }

    async fn json(&self, response: reqwest::Response) -> anyhow::Result<Value> {
        let body = response.bytes().await.context("the server's answer broke off")?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{} does not answer as a glassbox server does", self.url()))
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let response = sent.with_context(|| {
            format!("the server at {} does not answer; start it with: glassbox serve", self.url())
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.unwrap_or_default();
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = said["error"]["message"].as_str().unwrap_or_default().to_owned();
        let url = self.url();
        if status == StatusCode::UNAUTHORIZED {
            let asks = match self.address.authorization() {
                Some(_) => "does not know this token",
                None => "asks for its token",
            };
            let message = format!(
                "the server at {url} {asks}; give the address that it printed with --server, or set GLASSBOX_SERVER_KEY"
            );
            return Err(Refused { message, status }.into());
        }
        let message = match said.as_str() {
            "" => format!("{url} answers {status}, and not as a glassbox server does"),
            said => format!("the server at {url} answers {status}: {said}"),
        };
        // A server that is busy or stopping may think better of it.
        Err(match status.is_server_error() {
            true => anyhow::anyhow!(message),
            false => Refused { message, status }.into(),
        })
    }

    /// Lists all that a list has, page by page, at most so many.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> anyhow::Result<Vec<Value>> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", "500"));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut page = self.get(path, &query).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }
}
