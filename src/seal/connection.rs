//! Connections that a document declares, which whoever seals opens and hands to the command.

use serde_json::{Map, Value, json};

use super::error::SealError;

/// Most connections that a command is handed.
pub const MOST_CONNECTIONS: usize = 16;
/// The descriptor of the first; the others follow it.
pub const FIRST_DESCRIPTOR: i32 = 3;
/// Where they stand in the document.
const POINTER: &str = "/runtime/other/connections";
const REMEDY: &str = "write {\"connect\": ADDRESS} or {\"listen\": ADDRESS} for each, and for ADDRESS `tcp:IP:PORT` or `unix:` with an absolute path";

/// What a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionAddress {
    /// An address of the internet, by number.
    Tcp(std::net::SocketAddr),
    /// The path of a socket.
    Unix(std::path::PathBuf),
}

/// A connection that is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredConnection {
    /// Whether the command is handed a socket that listens, and not one that is connected.
    pub is_listening: bool,
    /// Where it leads, or listens.
    pub address: ConnectionAddress,
    /// The address as the document has it.
    pub text: String,
}

impl DeclaredConnection {
    /// As a declaration has it.
    pub fn stated(&self) -> Value {
        let how = if self.is_listening { "listen" } else { "connect" };
        json!({how: self.text})
    }

    /// For people: `connect tcp:127.0.0.1:80`.
    pub fn shown(&self) -> String {
        format!("{} {}", if self.is_listening { "listen" } else { "connect" }, self.text)
    }
}

/// The connections that a document's runtime declares.
///
/// # Errors
/// What is none, by JSON pointer.
pub fn declared_connections(runtime: &Map<String, Value>) -> Result<Vec<DeclaredConnection>, SealError> {
    let list = match runtime.get("other").and_then(|other| other.get("connections")) {
        None => return Ok(Vec::new()),
        Some(Value::Object(members)) if members.len() == 1 && members.contains_key("none") => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= MOST_CONNECTIONS => list,
        Some(Value::Array(list)) => {
            let found = format!("there are {}, and no more than {MOST_CONNECTIONS} can be handed over", list.len());
            return Err(SealError::request(POINTER, found, "declare fewer"));
        }
        Some(_) => return Err(SealError::request(POINTER, "it is no list".to_owned(), REMEDY)),
    };
    let one = |(n, value): (usize, &Value)| {
        connection(value)
            .ok_or_else(|| SealError::request(format!("{POINTER}/{n}"), format!("`{value}` is no connection"), REMEDY))
    };
    list.iter().enumerate().map(one).collect()
}

fn connection(value: &Value) -> Option<DeclaredConnection> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (how, text) = members.iter().next()?;
    let is_listening = match how.as_str() {
        "connect" => false,
        "listen" => true,
        _ => return None,
    };
    let text = text.as_str()?;
    let address = match text.split_once(':')? {
        ("tcp", address) => {
            ConnectionAddress::Tcp(address.parse().ok().filter(|address: &std::net::SocketAddr| address.port() != 0)?)
        }
        ("unix", path) if path.starts_with('/') && !path.contains('\0') => ConnectionAddress::Unix(path.into()),
        _ => return None,
    };
    Some(DeclaredConnection { is_listening, address, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(connections: Value) -> Result<Vec<DeclaredConnection>, String> {
        let runtime = json!({"other": {"connections": connections}});
        declared_connections(runtime.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn connections_are_numbers_and_paths() {
        let stated = json!([{"connect": "tcp:127.0.0.1:80"}, {"listen": "tcp:[::1]:8080"}, {"connect": "unix:/run/x"}]);
        let read_back: Vec<Value> = read(stated.clone()).unwrap().iter().map(DeclaredConnection::stated).collect();
        assert_eq!(json!(read_back), stated);
        assert_eq!(read(json!({"none": true})), Ok(vec![]));
        for wrong in [
            json!("tcp:127.0.0.1:80"),
            json!([{"connect": "tcp:localhost:80"}]),
            json!([{"connect": "tcp:127.0.0.1:0"}]),
            json!([{"connect": "unix:run/x"}]),
            json!([{"send": "tcp:127.0.0.1:80"}]),
            json!([{"connect": "udp:127.0.0.1:80"}]),
            json!([{"connect": "tcp:127.0.0.1:80", "listen": "tcp:127.0.0.1:80"}]),
            json!(vec![json!({"connect": "tcp:1.2.3.4:5"}); 17]),
        ] {
            assert!(read(wrong.clone()).unwrap_err().contains("/runtime/other/connections"), "{wrong}");
        }
    }
}
