//! Encrypted connections.

use crate::TestServer;
use crate::raw::Raw;
use pgwire::tokio::tokio_rustls::TlsConnector;
use pgwire::tokio::tokio_rustls::rustls::crypto::ring;
use pgwire::tokio::tokio_rustls::rustls::pki_types::CertificateDer;
use pgwire::tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use pgwire::tokio::tokio_rustls::rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Makes a certificate for `localhost` that trusts itself.
fn make_certificate(certificate: &Path, key: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_is_encrypted_when_there_is_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    make_certificate(&certificate, &key);
    let server = TestServer::start_with(|settings| {
        settings.tls_cert = Some(certificate.clone());
        settings.tls_key = Some(key.clone());
    })
    .await;
    let mut raw = Raw::connect(&server).await;
    raw.send(&SSL_REQUEST).await;
    let mut answer = [0];
    raw.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"S");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), raw.stream).await.unwrap();
    stream.write_all(&Raw::startup(&[("user", "postgres")])).await.unwrap();
    stream.write_all(&Raw::message('Q', b"SELECT 'across'\0")).await.unwrap();
    stream.write_all(&Raw::message('X', b"")).await.unwrap();
    let mut replies = Vec::new();
    stream.read_to_end(&mut replies).await.unwrap();
    assert!(replies.windows(6).any(|bytes| bytes == b"across"));
    // Without encryption it works as well, and what came before it began is not taken for encrypted.
    assert!(server.client().await.query_one("SELECT 1", &[]).await.is_ok());
    let mut raw = Raw::connect(&server).await;
    raw.send(&[&SSL_REQUEST[..], &Raw::startup(&[("user", "postgres")])].concat()).await;
    assert_eq!(raw.stream.read_u8().await.unwrap(), b'S');
    raw.ends_with("08P01").await;
    server.stop().await;
}
