//! Opening the connections that a document declares, before anything is confined.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::seal::connection::{ConnectionAddress, DeclaredConnection};
use crate::seal::error::SealError;

/// How long a server may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Opens them, in their order.
///
/// # Errors
/// The first that cannot be had.
pub(super) fn open_connections(declared: &[DeclaredConnection]) -> Result<Vec<OwnedFd>, SealError> {
    let opened = declared.iter().enumerate().map(|(n, one)| {
        open_one(one).map_err(|source| SealError::Open {
            pointer: format!("/runtime/other/connections/{n}"),
            path: one.text.clone().into(),
            source,
        })
    });
    opened.collect()
}

fn open_one(one: &DeclaredConnection) -> io::Result<OwnedFd> {
    Ok(match (&one.address, one.is_listening) {
        (ConnectionAddress::Tcp(address), true) => TcpListener::bind(address)?.into(),
        (ConnectionAddress::Tcp(address), false) => TcpStream::connect_timeout(address, CONNECT_WITHIN)?.into(),
        (ConnectionAddress::Unix(path), true) => UnixListener::bind(path)?.into(),
        (ConnectionAddress::Unix(path), false) => UnixStream::connect(path)?.into(),
    })
}
