//! Connections that a document declares: these and no others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{sleep, spawn};
use std::time::Duration;

use serde_json::{Value, json};

use super::sealed_or_skip;
use super::sealing::Sealing;
use crate::support::expect_shape;

fn declare(sealing: &Sealing, connections: Value) {
    sealing.declare(|document| document["runtime"]["other"]["connections"] = connections);
}

#[test]
fn declared_connections_are_handed_over_and_lead_nowhere_else() {
    let (sealing, plain) =
        sealed_or_skip!("import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])");
    assert_eq!(plain.text, "[0, 1, 2]\n", "{plain:?}");
    let [server, elsewhere] = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let [at, other] = [&server, &elsewhere].map(|one| one.local_addr().unwrap());
    elsewhere.set_nonblocking(true).unwrap();
    let path = sealing.home().join("ask.sock");
    let named = UnixListener::bind(&path).unwrap();
    let answer = |mut stream: Box<dyn ReadWrite>| {
        let mut question = String::new();
        BufReader::new(&mut stream).read_line(&mut question).unwrap();
        stream.write_all(format!("answer to {question}").as_bytes()).unwrap();
    };
    spawn(move || server.incoming().flatten().for_each(|one| answer(Box::new(one))));
    spawn(move || named.incoming().flatten().for_each(|one| answer(Box::new(one))));
    declare(&sealing, json!([{"connect": format!("tcp:{at}")}, {"connect": format!("unix:{}", path.display())}]));
    let program = r#"
import ctypes, fcntl, os, socket, struct, sys
port = int(sys.argv[1])
tcp, unix = socket.socket(fileno=3), socket.socket(fileno=4)
for one in (tcp, unix):
    one.sendall(b"q\n"); print(one.recv(99).decode().strip())
def t(name, f):
    try: f(); print(name, "yes")
    except OSError as e: print(name, e.errno)
gone = struct.pack("H14x", socket.AF_UNSPEC)
L = ctypes.CDLL(None, use_errno=True)
def call(f, *a):
    if f(*a) < 0: raise OSError(ctypes.get_errno(), "")
t("let go", lambda: call(L.connect, 3, gone, 16))
t("elsewhere", lambda: tcp.connect(("127.0.0.1", port)))
t("listen", lambda: tcp.listen())
t("bind", lambda: tcp.bind(("127.0.0.1", 0)))
while tcp.recv(99): pass
t("first data", lambda: tcp.sendto(b"x", 0x20000000, ("127.0.0.1", port)))
t("interfaces", lambda: fcntl.ioctl(3, 0x8912, bytes(16)))
t("another", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])
"#;
    let port = other.port().to_string();
    let run = |more: &[&str]| sealing.seal_with(more, &[sealing.python(), "-IBc", program, &port]);
    let wanted = "answer to q\nanswer to q\nlet go 1\nelsewhere 1\nlisten 1\nbind 1\nfirst data 1\ninterfaces 1\nanother 1\n[0, 1, 2, 3, 4]\n";
    for more in [&[][..], &["--weaker"]] {
        let sealed = run(more);
        assert_eq!(
            sealed.text,
            wanted,
            "{more:?}: {sealed:?} {:?}",
            std::fs::read_to_string(sealed.out.join("stderr"))
        );
        assert!(elsewhere.accept().is_err(), "nobody came");
        expect_shape("system_ending", &sealed.ending);
        let held = sealed.ending["not_held"].to_string();
        assert!(held.contains(&format!("what comes through the connection `connect tcp:{at}`")), "{held}");
        assert_ne!(sealed.identity(), plain.identity());
    }
    // A server that is not there: nothing is executed, and nothing written.
    drop(TcpListener::bind("127.0.0.1:0").map(|one| one.local_addr().unwrap()));
    declare(&sealing, json!([{"connect": format!("unix:{}", sealing.home().join("none.sock").display())}]));
    let refused = run(&[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("/runtime/other/connections/0"), "{}", refused.stderr);
    assert!(!refused.out.exists() || std::fs::read_dir(&refused.out).unwrap().next().is_none());
}

#[test]
fn who_calls_a_declared_listener_is_let_in() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let path = sealing.home().join("served.sock");
    declare(&sealing, json!([{"listen": format!("unix:{}", path.display())}]));
    let calling = path.clone();
    let caller = spawn(move || {
        let stream = (0..600).find_map(|_| {
            sleep(Duration::from_millis(50));
            UnixStream::connect(&calling).ok()
        });
        let mut stream = stream.unwrap();
        stream.write_all(b"hello\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let program = "import socket\ns=socket.socket(fileno=3); c,_=s.accept(); c.sendall(c.recv(99).upper()); c.close(); print('done')";
    let sealed = sealing.python_says(program);
    assert_eq!((sealed.code, sealed.text.as_str()), (Some(0), "done\n"), "{sealed:?}");
    assert_eq!(caller.join().unwrap(), "HELLO\n");
}

trait ReadWrite: Read + Write + Send {}
impl ReadWrite for TcpStream {}
impl ReadWrite for UnixStream {}
