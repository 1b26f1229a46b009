//! Tools of MCP servers, over the standard streams of a child process or over HTTP. Behind the feature `mcp`.
//!
//! ```no_run
//! use glassbox::{Toolbox, mcp::McpServer};
//! use std::process::Command;
//!
//! # async fn example() -> Result<(), glassbox::Error> {
//! let mut command = Command::new("uvx");
//! command.arg("mcp-server-fetch");
//! let fetch = McpServer::stdio(command).await?;
//! let docs = McpServer::http("https://example.com/mcp").await?;
//! let tools = Toolbox::new().with_all(fetch.tools()).with_all(docs.tools());
//! # Ok(())
//! # }
//! ```

use crate::error::{Error, ErrorKind};
use glassbox_telemetry::loopback::is_loopback;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rmcp::ServiceExt;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport, TokioChildProcess};
use std::error::Error as StdError;
use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

mod tool;

pub use tool::McpTool;

/// How long a server may take to be there and to list its tools. Some are downloaded when they are first used.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to an MCP server, open until it and all its tools are dropped; a child process ends with it.
///
/// What a server says is untrusted: names are made such that providers take them, and schemas that are none admit
/// everything.
#[derive(Clone)]
pub struct McpServer {
    connection: Arc<Connection>,
    tools: Vec<McpTool>,
}

/// What the tools of a server share.
pub(crate) struct Connection {
    pub(crate) service: RunningService<RoleClient, ClientConfig>,
    /// The network as OpenTelemetry names it: `pipe` or `tcp`.
    pub(crate) network: &'static str,
}

impl McpServer {
    /// Starts a server as a child process and speaks to it over its standard streams. Its errors go to ours.
    ///
    /// The child inherits the environment, with the keys in it, unless the command says otherwise
    /// ([`Command::env_clear`]).
    ///
    /// # Errors
    ///
    /// The command cannot be started, or what it starts does not answer as an MCP server within a minute.
    pub async fn stdio(command: Command) -> Result<Self, Error> {
        let name = command.get_program().to_string_lossy().into_owned();
        let command = tokio::process::Command::from(command);
        let transport = TokioChildProcess::new(command).map_err(|error| {
            let message = format!(
                "the MCP server {name:?} cannot be started: install it, or type its full path"
            );
            Error::new(ErrorKind::Config, message).because(error)
        })?;
        Self::connect(&name, transport, "pipe").await
    }

    /// Connects to a server that speaks streamable HTTP, such as `http://localhost:8000/mcp`.
    ///
    /// # Errors
    ///
    /// The address is none, or what is there does not answer as an MCP server within a minute.
    pub async fn http(url: &str) -> Result<Self, Error> {
        Self::http_with_headers(url, []).await
    }

    /// Connects to a server that speaks streamable HTTP, with headers of one's own, such as `authorization`.
    ///
    /// # Errors
    ///
    /// As [`http`](McpServer::http), and a header that is none.
    pub async fn http_with_headers(
        url: &str,
        headers: impl IntoIterator<Item = (&str, &str)>,
    ) -> Result<Self, Error> {
        let wrong = |message: String| Error::new(ErrorKind::Config, message);
        let address = Url::parse(url).map_err(|error| {
            wrong(format!("the address {url:?} of an MCP server is none: {error}; type it as http://HOST:PORT/PATH"))
        })?;
        let mut own = HeaderMap::new();
        for (name, value) in headers {
            // The value may be a secret and is not shown.
            let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
            let (name, value) = header.ok_or_else(|| {
                wrong(format!("the header {name:?} for {url:?} is none: write plain ASCII"))
            })?;
            own.insert(name, value);
        }
        let mut http = reqwest::Client::builder()
            .default_headers(own)
            .connect_timeout(Duration::from_secs(10));
        // A proxy cannot reach what listens on this machine alone.
        if address.host_str().is_some_and(is_loopback) {
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| wrong("the HTTP client cannot be built".to_owned()).because(error))?;
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let transport = StreamableHttpClientTransport::with_client(http, config);
        Self::connect(url, transport, "tcp").await
    }

    async fn connect<E: StdError + Send + Sync + 'static, A>(
        name: &str,
        transport: impl IntoTransport<RoleClient, E, A>,
        network: &'static str,
    ) -> Result<Self, Error> {
        let failed = |what: String| {
            Error::new(ErrorKind::Network, format!("the MCP server {name:?} {what}"))
        };
        let client = Implementation::new("glassbox", env!("CARGO_PKG_VERSION"));
        let config = ClientConfig::new(ClientCapabilities::default(), client);
        let connected = async {
            let service = config.serve(transport).await.map_err(|error| {
                failed("does not answer as one: look at what it wrote to its errors".to_owned())
                    .because(error)
            })?;
            let listed = service.list_all_tools().await;
            let listed = listed
                .map_err(|error| failed("does not list its tools".to_owned()).because(error))?;
            Ok::<_, Error>((service, listed))
        };
        let (service, listed) = timeout(PATIENCE, connected)
            .await
            .map_err(|_| failed(format!("did not answer within {PATIENCE:?}")))??;
        let connection = Arc::new(Connection { service, network });
        let tools = listed.iter().map(|tool| McpTool::new(&connection, tool)).collect();
        Ok(Self { connection, tools })
    }

    /// Returns the tools of the server, in its order.
    #[must_use]
    pub fn tools(&self) -> Vec<McpTool> {
        self.tools.clone()
    }

    /// Tells whether the connection has ended: the child process is gone, or the server has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.service.is_closed()
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("tools", &self.tools).finish_non_exhaustive()
    }
}
