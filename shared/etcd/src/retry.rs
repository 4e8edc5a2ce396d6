//! Requests that meet a member of etcd which is gone are made again, to another, within their second.

use crate::error::EtcdError;
use etcd_client::Error;
use std::error::Error as _;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Code;

/// How long one request may take, with all its tries; then whether it was done is not known.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the first try may take: a member that vanished refuses nothing.
const FIRST_TIMEOUT: Duration = Duration::from_millis(300);
/// Before the first further tries, and before each after them, until the second is over. While a member is gone, any
/// try may meet it again: one that refuses at once has the fewest requests under way, which is what members are chosen by.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(20), Duration::from_millis(40)];
const PAUSE: Duration = Duration::from_millis(80);

/// What may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Made twice it does what it does once.
    Always,
    /// Only what has certainly not been done.
    IfUndone,
}

/// How a request came out.
pub(crate) struct Tried<T> {
    pub(crate) result: Result<T, EtcdError>,
    /// A try before the last may have been done.
    pub(crate) is_repeated: bool,
}

/// Makes a request until it comes out, or fails in a way that another member would not mend.
pub(crate) async fn persist<T, F>(repeat: Repeat, mut request: impl FnMut() -> F) -> Tried<T>
where
    F: Future<Output = Result<T, EtcdError>>,
{
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let mut until = match repeat {
        Repeat::Always => Instant::now() + FIRST_TIMEOUT,
        Repeat::IfUndone => deadline,
    };
    let mut pauses = PAUSES.into_iter();
    let mut is_repeated = false;
    loop {
        let result = timeout_at(until, request()).await.unwrap_or(Err(EtcdError::Timeout));
        until = deadline;
        match result {
            Err(error) if may_pass(&error) && (repeat == Repeat::Always || was_refused(&error)) => {
                let pause = pauses.next().unwrap_or(PAUSE);
                if Instant::now() + pause >= deadline {
                    return Tried { result: Err(error), is_repeated };
                }
                is_repeated |= !was_refused(&error);
                sleep(pause).await;
            }
            result => return Tried { result, is_repeated },
        }
    }
}

/// Whether another try, or another member, may do better: nobody who could be asked said anything.
pub(crate) fn may_pass(error: &EtcdError) -> bool {
    match error {
        EtcdError::Timeout | EtcdError::Failed(Error::TransportError(_) | Error::IoError(_)) => true,
        EtcdError::Failed(Error::GRpcStatus(status)) => {
            matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Cancelled
            )
        }
        _ => false,
    }
}

/// True if nothing listened there, so that the request was never sent.
fn was_refused(error: &EtcdError) -> bool {
    let EtcdError::Failed(Error::GRpcStatus(status)) = error else { return false };
    let mut cause = status.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tonic::Status;

    fn failed(code: Code) -> EtcdError {
        EtcdError::Failed(Error::GRpcStatus(Status::new(code, "gone")))
    }

    fn refused() -> EtcdError {
        let io = io::Error::from(io::ErrorKind::ConnectionRefused);
        EtcdError::Failed(Error::GRpcStatus(Status::from_error(Box::new(io))))
    }

    async fn tries(repeat: Repeat, error: impl Fn() -> EtcdError) -> (usize, bool) {
        let mut tries = 0;
        let tried = persist(repeat, || {
            tries += 1;
            ready(if tries == 3 { Ok(()) } else { Err(error()) })
        });
        let is_repeated = tried.await.is_repeated;
        (tries, is_repeated)
    }

    #[tokio::test]
    async fn what_may_have_been_done_is_done_again_only_if_that_does_no_harm() {
        assert_eq!(tries(Repeat::Always, || failed(Code::Unavailable)).await, (3, true));
        assert_eq!(tries(Repeat::IfUndone, || failed(Code::Unavailable)).await, (1, false));
        assert_eq!(tries(Repeat::IfUndone, refused).await, (3, false));
        assert_eq!(tries(Repeat::Always, || failed(Code::PermissionDenied)).await, (1, false));
        assert_eq!(tries(Repeat::Always, || EtcdError::LeaseGone).await, (1, false));
    }

    #[tokio::test]
    async fn all_tries_together_have_a_second() {
        let began = Instant::now();
        let silent = persist(Repeat::Always, pending::<Result<(), _>>).await;
        assert!(matches!(silent.result, Err(EtcdError::Timeout)));
        assert_eq!((began.elapsed().as_secs(), silent.is_repeated), (1, true));
        let refusing = persist(Repeat::Always, || ready(Err::<(), _>(refused()))).await;
        assert!(refusing.result.is_err() && began.elapsed() < 2 * REQUEST_TIMEOUT);
    }
}
