//! A load balancer before the replicas, as HAProxy is configured for Rail Gun: whoever came to a replica comes to it again
//! (`balance source`) unless it takes no connection, and replicas are told whom a connection is from.

use crate::addresses::{SIGNALING_PORT, balancer_address, replica_address};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) const PORT: u16 = 8443;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Within which a client sends its request's first bytes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How replicas are told whom a connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// `X-Forwarded-For` in the first request; the balancer sees clients' HTTP.
    Forwarded,
    /// The PROXY protocol, in words and in bytes.
    Proxy1,
    Proxy2,
}

impl Telling {
    pub(crate) const ALL: [Self; 3] = [Self::Forwarded, Self::Proxy1, Self::Proxy2];
}

pub(crate) async fn serve(replicas: usize, telling: Telling) {
    let Ok(listener) = TcpListener::bind((balancer_address(), PORT)).await else { return };
    while let Ok((client, from)) = listener.accept().await {
        tokio::spawn(async move { _ = carry(client, from, replicas, telling).await });
    }
}

async fn carry(mut client: TcpStream, from: SocketAddr, replicas: usize, telling: Telling) -> io::Result<()> {
    let mut replica = connect(from, replicas).await?;
    let to = replica.peer_addr()?;
    match telling {
        Telling::Forwarded => {
            let mut begins = vec![0; 4096];
            let read = timeout(REQUEST_TIMEOUT, client.read(&mut begins)).await??;
            begins.truncate(read);
            // After the request's line.
            if let Some(at) = begins.iter().position(|byte| *byte == b'\n') {
                let field = format!("x-forwarded-for: {}\r\n", from.ip());
                begins.splice(at + 1..at + 1, field.into_bytes());
            }
            replica.write_all(&begins).await?;
        }
        Telling::Proxy1 => {
            let line = format!("PROXY TCP4 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port());
            replica.write_all(line.as_bytes()).await?;
        }
        Telling::Proxy2 => replica.write_all(&proxy_2(from, to)).await?,
    }
    copy_bidirectional(&mut client, &mut replica).await.map(|_| ())
}

/// To the one that this client's address stands for, or the first after it that takes a connection.
async fn connect(from: SocketAddr, replicas: usize) -> io::Result<TcpStream> {
    let IpAddr::V4(address) = from.ip() else { return Err(io::ErrorKind::Unsupported.into()) };
    let first = u32::from(address) as usize;
    for number in 0..replicas {
        let to = (replica_address((first + number) % replicas), SIGNALING_PORT);
        if let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await {
            return Ok(stream);
        }
    }
    Err(io::ErrorKind::ConnectionRefused.into())
}

/// Version 2: signature, PROXY, TCP over IPv4, 12 bytes of addresses and ports.
fn proxy_2(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    for end in [from, to] {
        if let IpAddr::V4(address) = end.ip() {
            header.extend(address.octets());
        }
    }
    header.extend(from.port().to_be_bytes());
    header.extend(to.port().to_be_bytes());
    header
}
