//! One connection through the fault proxy.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::sleep;

use super::{Counters, Fault};

const PIECE: usize = 64 * 1024;
const LONGEST_HEAD: usize = 64 * 1024;
/// A dripping answer is written this often per second, or more rarely where that would be less than a byte.
const DROPS_PER_SECOND: u64 = 10;

pub(super) async fn serve(
    mut client: TcpStream,
    upstream: String,
    fault: Fault,
    counters: Arc<Counters>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match fault {
        Fault::Refuse | Fault::BlackHole => std::future::pending().await,
        Fault::Endless => {
            read_head(&mut client, &counters.bytes_in).await?;
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
            write(&mut client, head, &counters.bytes_out).await?;
            let zeros = vec![0; PIECE];
            loop {
                write(&mut client, &zeros, &counters.bytes_out).await?;
            }
        }
        Fault::Answer(bytes) => {
            read_head(&mut client, &counters.bytes_in).await?;
            write(&mut client, &bytes, &counters.bytes_out).await?;
            client.shutdown().await
        }
        Fault::Pass | Fault::CutAfter(_) | Fault::Drip(_) | Fault::Delay(_) => {
            let mut server = TcpStream::connect(&upstream).await?;
            server.set_nodelay(true)?;
            forward(&mut client, &mut server, &fault, &counters).await
        }
    }
}

/// Requests as they are, answers as the fault wants it.
async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    fault: &Fault,
    counters: &Counters,
) -> io::Result<()> {
    let (from_client, mut to_client) = client.split();
    let (mut from_server, to_server) = server.split();
    let requests = requests(from_client, to_server, &counters.bytes_in);
    let answers = answers(&mut from_server, &mut to_client, fault, &counters.bytes_out);
    let answered = tokio::select! {
        answered = answers => answered,
        Err(gone) = requests => Err(gone),
    };
    if matches!(fault, Fault::CutAfter(_)) {
        client.set_zero_linger()?;
    }
    answered
}

async fn requests(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, counter: &AtomicU64) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            to.shutdown().await?;
            // The answers go on; only they end the connection.
            return std::future::pending().await;
        }
        write(&mut to, piece.get(..read).unwrap_or_default(), counter).await?;
    }
}

async fn answers(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    fault: &Fault,
    counter: &AtomicU64,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut passed = 0;
    loop {
        let read = from.read(&mut piece).await?;
        let mut bytes = piece.get(..read).unwrap_or_default();
        if let Fault::CutAfter(limit) = fault {
            let left = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
            bytes = bytes.get(..left).unwrap_or(bytes);
        }
        match fault {
            Fault::Drip(rate) => drip(to, bytes, (*rate).max(1), counter).await?,
            Fault::Delay(time) => {
                sleep(*time).await;
                write(to, bytes, counter).await?;
            }
            Fault::Pass
            | Fault::CutAfter(_)
            | Fault::Refuse
            | Fault::BlackHole
            | Fault::Endless
            | Fault::Answer(_) => {
                write(to, bytes, counter).await?;
            }
        }
        passed += bytes.len() as u64;
        if read == 0 {
            return to.shutdown().await;
        }
        if matches!(fault, Fault::CutAfter(limit) if passed >= *limit) {
            return Ok(());
        }
    }
}

async fn drip(to: &mut WriteHalf<'_>, bytes: &[u8], rate: u64, counter: &AtomicU64) -> io::Result<()> {
    let drop = (rate / DROPS_PER_SECOND).max(1);
    for drop in bytes.chunks(usize::try_from(drop).unwrap_or(usize::MAX)) {
        sleep(Duration::from_micros(drop.len() as u64 * 1_000_000 / rate)).await;
        write(to, drop, counter).await?;
    }
    Ok(())
}

/// Up to the blank line that ends a request's head.
async fn read_head(client: &mut TcpStream, counter: &AtomicU64) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = client.read_buf(&mut head).await?;
        counter.fetch_add(read as u64, Ordering::Relaxed);
        if read == 0 || head.len() > LONGEST_HEAD {
            return Err(io::Error::other("the client sent no request"));
        }
    }
    Ok(())
}

async fn write(to: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8], counter: &AtomicU64) -> io::Result<()> {
    to.write_all(bytes).await?;
    counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    Ok(())
}
