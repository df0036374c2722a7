//! Where to listen: what the user says, what Cloud Run says, or this machine alone.
//! Without a token only this machine may call, or Cloud Run's own guard.

use crate::error::RunError;
use std::net::SocketAddr;
use tokio::net::TcpListener;

const DEFAULT: &str = "127.0.0.1:8080";

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callers {
    /// Programs of this machine.
    ThisMachine,
    /// Everybody who gets through to it: the token or Cloud Run's IAM decides.
    Everybody,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// `--listen`.
    pub(super) listen: Option<String>,
    /// `PORT`, which Cloud Run sets.
    pub(super) port: Option<String>,
    /// Whether this is a Cloud Run service (`K_SERVICE`).
    pub(super) is_cloud_run: bool,
    /// Whether callers need a token.
    pub(super) has_token: bool,
}

impl Wanted {
    fn text(&self) -> String {
        match (&self.listen, &self.port) {
            (Some(listen), _) => listen.clone(),
            (None, Some(port)) if self.is_cloud_run => format!("0.0.0.0:{port}"),
            _ => DEFAULT.to_owned(),
        }
    }

    fn callers(&self, addresses: &[SocketAddr]) -> Result<Callers, RunError> {
        if self.has_token || self.is_cloud_run {
            return Ok(Callers::Everybody);
        }
        if addresses.iter().all(|address| address.ip().is_loopback()) {
            return Ok(Callers::ThisMachine);
        }
        let text = self.text();
        Err(RunError::Usage(format!(
            "--listen {text}: other machines could start runs; set a token (--token, DRAYAGE_TOKEN), or listen on 127.0.0.1"
        )))
    }

    /// Opens the port.
    ///
    /// # Errors
    /// An address that is none or that would be open to everybody (wrong usage), or a port that cannot be had.
    pub(super) async fn open(&self) -> Result<(TcpListener, Callers), RunError> {
        let text = self.text();
        let wrong = |error: std::io::Error| RunError::Usage(format!("--listen {text}: no such address: {error}"));
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&text).await.map_err(wrong)?.collect();
        let callers = self.callers(&addresses)?;
        let listener = TcpListener::bind(&*addresses).await;
        let listener = listener.map_err(|source| RunError::Listen { address: text.clone(), source })?;
        Ok((listener, callers))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wanted(listen: Option<&str>, port: Option<&str>, is_cloud_run: bool, has_token: bool) -> Wanted {
        Wanted { listen: listen.map(str::to_owned), port: port.map(str::to_owned), is_cloud_run, has_token }
    }

    #[test]
    fn the_place_follows_from_the_flag_and_cloud_run() {
        let table = [
            (wanted(None, None, false, false), DEFAULT),
            (wanted(Some("127.0.0.1:1"), Some("9"), true, false), "127.0.0.1:1"),
            (wanted(None, Some("9"), true, false), "0.0.0.0:9"),
            // Many programs set PORT; only Cloud Run means us.
            (wanted(None, Some("9"), false, true), DEFAULT),
        ];
        for (wanted, text) in table {
            assert_eq!(wanted.text(), text, "{wanted:?}");
        }
    }

    #[tokio::test]
    async fn an_open_port_needs_a_guard() {
        let callers = async |listen: &str, is_cloud_run, has_token| {
            let opened = wanted(Some(listen), None, is_cloud_run, has_token).open().await;
            opened.map(|(_, callers)| callers).map_err(|error| error.to_string())
        };
        assert_eq!(callers("127.0.0.1:0", false, false).await, Ok(Callers::ThisMachine));
        assert_eq!(callers("localhost:0", false, false).await, Ok(Callers::ThisMachine));
        assert_eq!(callers("0.0.0.0:0", false, true).await, Ok(Callers::Everybody));
        assert_eq!(callers("0.0.0.0:0", true, false).await, Ok(Callers::Everybody));
        assert!(callers("0.0.0.0:0", false, false).await.unwrap_err().contains("other machines could start runs"));
        assert!(callers("8080", false, false).await.unwrap_err().contains("no such address"));
    }
}
