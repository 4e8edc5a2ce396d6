//! How etcd is, for a scrape.

use crate::health::{Condition, Health};
use crate::store::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
struct OfEtcd(Arc<Health>);

impl Collector for OfEtcd {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let health = &self.0;
        let condition = health.condition();
        let reachable = u64::from(!matches!(condition, Condition::Away(_)));
        for (name, help, value) in [
            ("etcd_reachable", "1 while etcd answers", reachable),
            (
                "etcd_full",
                "1 while etcd refuses writes because its database is full",
                health.is_full().into(),
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        let help = "Since this process last renewed its lease in etcd";
        let metric = encoder.encode_descriptor("etcd_lease_age_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(health.lease_age().as_secs_f64()).encode(metric)?;
        for (name, help, value) in [
            ("etcd_refused_writes", "Writes refused because the database is full", health.refused_writes()),
            ("etcd_unanswered_requests", "Requests that etcd did not answer in time", health.unanswered()),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        Ok(())
    }
}

impl Store {
    /// Shows how etcd is wherever `registry` is scraped.
    pub fn register_metrics(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(OfEtcd(self.health().clone())));
    }
}
