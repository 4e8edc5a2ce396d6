//! When certificates end, for a scrape.

use crate::files::Shown;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// Shows, wherever `registry` is scraped, when the first certificate of each of these files ends. `files`: by the
/// setting that names them. They are read at each scrape, since they are replaced while the process runs; one that
/// cannot be read shows nothing.
pub fn register_ends(registry: &mut Registry, files: Vec<(&'static str, PathBuf)>) {
    if !files.is_empty() {
        registry.register_collector(Box::new(Ends(files)));
    }
}

#[derive(Debug)]
struct Ends(Vec<(&'static str, PathBuf)>);

impl Collector for Ends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "When the first certificate of the file that this setting names ends, Unix seconds";
        let name = "railgun_certificate_end_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (setting, path) in &self.0 {
            let first = CertificateDer::from_pem_file(path).ok().and_then(|der| Shown::of(&der));
            let Some(ends) = first.and_then(|shown| shown.ends.duration_since(UNIX_EPOCH).ok()) else {
                continue;
            };
            let labels = [("setting", *setting)];
            let of = metric.encode_family(&labels)?;
            ConstGauge::new(ends.as_secs_f64()).encode(of)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn a_scrape_tells_when_each_certificate_ends_and_leaves_out_what_cannot_be_read() {
        let path = std::env::temp_dir().join("railgun-certificate-that-ends.pem");
        let mut params = rcgen::CertificateParams::new(["voice.example.org".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&path, certificate.pem()).unwrap();
        let mut registry = Registry::default();
        register_ends(
            &mut registry,
            vec![("https.cert", path.clone()), ("media.cert", "/nowhere.pem".into())],
        );
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        std::fs::remove_file(path).unwrap();
        let line = "railgun_certificate_end_seconds{setting=\"https.cert\"} 1893456000";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("media.cert"), "{text}");
    }
}
