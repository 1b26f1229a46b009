//! A server's stream that goes on when the server was away: it may come back at another address, with another token.

use crate::client::{Client, Refused, ServerArgs};
use crate::events::{Event, Events};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to wait before a server that went away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// A stream that was silent for so long is taken to be broken: the server says every few seconds that it is there.
const SILENCE: Duration = Duration::from_secs(35);

/// How many events may wait to be shown.
const CAPACITY: usize = 4096;

/// What is seen of a server.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Something happened.
    Event(Event),
    /// The server does not answer any more; it is asked until it does.
    Gone,
    /// The server answers again.
    Back(Client),
}

/// What comes from the server, until the receiver is dropped. After an error nothing comes.
pub(crate) type Watch = mpsc::Receiver<anyhow::Result<Seen>>;

/// Begins to watch what a filter lets pass.
pub(crate) async fn begin(server: &ServerArgs, filter: &str) -> anyhow::Result<(Client, Watch)> {
    let client = server.connect()?;
    let events = client.stream(filter, None).await?;
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let (server, filter) = (server.clone(), filter.to_owned());
    let url = client.url().to_owned();
    tokio::spawn(async move {
        if let Err(error) = watch(&sender, events, url, &server, &filter).await {
            // Whoever watched may be gone.
            let _ = sender.send(Err(error)).await;
        }
    });
    Ok((client, receiver))
}

async fn watch(
    sender: &mpsc::Sender<anyhow::Result<Seen>>,
    mut events: Events,
    mut url: String,
    server: &ServerArgs,
    filter: &str,
) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let event = tokio::time::timeout(SILENCE, events.next()).await;
        if let Ok(Ok(Some(event))) = event {
            last = Some(event.id.clone());
            if sender.send(Ok(Seen::Event(event))).await.is_err() {
                return Ok(());
            }
            continue;
        }
        if sender.send(Ok(Seen::Gone)).await.is_err() {
            return Ok(());
        }
        let client = loop {
            tokio::time::sleep(PAUSE).await;
            if sender.is_closed() {
                return Ok(());
            }
            // It is looked for anew each time, for it may have another address.
            let Ok(client) = server.connect() else { continue };
            let from = last.as_deref().filter(|_| client.url() == url);
            match client.stream(filter, from).await {
                Ok(again) => {
                    events = again;
                    break client;
                }
                Err(error) if error.is::<Refused>() => return Err(error),
                Err(_) => (),
            }
        };
        client.url().clone_into(&mut url);
        if sender.send(Ok(Seen::Back(client))).await.is_err() {
            return Ok(());
        }
    }
}
