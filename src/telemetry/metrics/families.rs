//! The names under which everything is published, and their label names.

use super::exposition::{Family, Values};
use super::series::Series;
use super::{Counter, Gauge, Metrics, lock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Metrics {
    /// Everything that a scrape shows, as it is now.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families = self.request_families();
        families.extend(self.routing_families());
        families.extend(self.api_families());
        families.extend(self.limits_families());
        families.extend(self.connection_families());
        families.extend(self.upstream_families());
        families.extend(self.configuration_families());
        families.extend(self.store_families());
        families.extend(self.stream_families());
        families.extend(self.webhook_families());
        families.extend(self.process_families());
        families
    }

    fn request_families(&self) -> Vec<Family> {
        let routes: Vec<_> =
            lock(&self.routes).iter().map(|(key, cells)| (key.clone(), Arc::clone(cells))).collect();
        let (mut requests, mut durations, mut upstream) = (Vec::new(), Vec::new(), Vec::new());
        for ((api, route), cells) in routes {
            for ((method, status), count) in cells.requests() {
                let labels = vec![api.clone(), route.clone(), method.into(), status.to_string().into()];
                requests.push((labels, count));
            }
            let (total, share) = cells.durations();
            durations.push((vec![api.clone(), route.clone()], total));
            upstream.push((vec![api, route], share));
        }
        vec![
            Family {
                name: "portcullis_requests",
                help: "Requests that have ended.",
                labels: &["api", "route", "method", "status"],
                values: Values::Counters(requests),
            },
            Family {
                name: "portcullis_request_duration_seconds",
                help: "Time from a request's head to the end of its answer.",
                labels: &["api", "route"],
                values: Values::Histograms(durations),
            },
            Family {
                name: "portcullis_upstream_duration_seconds",
                help: "Time that the upstream took to answer.",
                labels: &["api", "route"],
                values: Values::Histograms(upstream),
            },
        ]
    }

    /// Of upstreams that share a route, and of copies.
    fn routing_families(&self) -> Vec<Family> {
        let (mut requests, mut durations, mut mirrored) = (Vec::new(), Vec::new(), Vec::new());
        for (((api, route), upstream), cells) in lock(&self.weighted).iter() {
            let labels = || vec![api.clone(), route.clone(), upstream.clone()];
            for ((method, status), count) in cells.requests() {
                requests.push(([labels(), vec![method.into(), status.to_string().into()]].concat(), count));
            }
            durations.push((labels(), cells.durations().1));
        }
        for ((api, route), cells) in lock(&self.mirrors).iter() {
            let labelled =
                |(what, count): (&str, u64)| (vec![api.clone(), route.clone(), what.into()], count);
            mirrored.extend(cells.counts().map(labelled));
        }
        vec![
            Family {
                name: "portcullis_weighted_requests",
                help: "Requests of routes whose upstreams have weights, by the upstream that got them.",
                labels: &["api", "route", "upstream", "method", "status"],
                values: Values::Counters(requests),
            },
            Family {
                name: "portcullis_weighted_duration_seconds",
                help: "Time that each of the upstreams with weights took to answer.",
                labels: &["api", "route", "upstream"],
                values: Values::Histograms(durations),
            },
            Family {
                name: "portcullis_mirrored_requests",
                help: "Copies of requests for a mirror, by what became of them.",
                labels: &["api", "route", "outcome"],
                values: Values::Counters(mirrored),
            },
        ]
    }

    /// Of limits that several nodes count together.
    fn limits_families(&self) -> Vec<Family> {
        let labelled = |(label, count): (&'static str, u64)| (vec![label.into()], count);
        let up = self.limits.is_up().map(|up| (Vec::new(), f64::from(u8::from(up))));
        vec![
            Family {
                name: "portcullis_rate_limit_backend_up",
                help: "Whether every worker has a connection to the limits backend.",
                labels: &[],
                values: Values::Gauges(up.into_iter().collect()),
            },
            Family {
                name: "portcullis_rate_limit_backend_requests",
                help: "Questions to the limits backend.",
                labels: &["result"],
                values: Values::Counters(self.limits.asked_counts().map(labelled).collect()),
            },
            Family {
                name: "portcullis_rate_limit_backend_duration_seconds",
                help: "Time that requests waited for the limits backend's answer.",
                labels: &[],
                values: Values::Histograms(vec![(Vec::new(), self.limits.durations())]),
            },
            Family {
                name: "portcullis_rate_limit_decided",
                help: "Who decided about requests whose limit is counted in a backend.",
                labels: &["by"],
                values: Values::Counters(self.limits.decided_counts().map(labelled).collect()),
            },
        ]
    }

    fn api_families(&self) -> Vec<Family> {
        let (mut auth, mut limit, mut unknown_keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut observed = Vec::new();
        for (api, cells) in lock(&self.apis).iter() {
            let labelled = |(label, count): (&str, u64)| (vec![api.clone(), label.into()], count);
            auth.extend(cells.auth_counts().map(labelled));
            limit.extend(cells.rate_limit_counts().map(labelled));
            observed.extend(cells.observed_counts().map(labelled));
            unknown_keys.push((vec![api.clone()], cells.unknown_keys_count()));
        }
        let lookups = self.cache.counts().map(|(label, count)| (vec![label.into()], count));
        vec![
            Family {
                name: "portcullis_auth",
                help: "Credential checks by outcome.",
                labels: &["api", "outcome"],
                values: Values::Counters(auth),
            },
            Family {
                name: "portcullis_rate_limit",
                help: "Rate limit decisions.",
                labels: &["api", "decision"],
                values: Values::Counters(limit),
            },
            Family {
                name: "portcullis_observed",
                help: "Requests that a policy in mode observe would have refused.",
                labels: &["api", "policy"],
                values: Values::Counters(observed),
            },
            Family {
                name: "portcullis_unknown_keys_refused",
                help: "Requests refused because their address had shown too many unknown keys.",
                labels: &["api"],
                values: Values::Counters(unknown_keys),
            },
            Family {
                name: "portcullis_token_cache_lookups",
                help: "Look-ups of keys in the cache.",
                labels: &["result"],
                values: Values::Counters(lookups.collect()),
            },
            gauge("process_resident_memory_bytes", "Resident memory in bytes.", &self.resident),
            gauge("portcullis_token_cache_entries", "Keys in the cache.", &self.cache_entries),
            gauge(
                "portcullis_token_cache_loading",
                "1 while the keys of the store are loaded after a start.",
                &self.cache_loading,
            ),
            gauge(
                "portcullis_token_cache_load_seconds",
                "How long it took to load the keys of the store; 0 until they are.",
                &self.cache_load_seconds,
            ),
            gauges(
                "portcullis_connections",
                "Open connections of clients.",
                &["listener"],
                &self.connections,
            ),
            Family {
                name: "portcullis_connections_refused",
                help: "Connections of clients that were closed at accept because there were too many.",
                labels: &["listener", "reason"],
                values: Values::Counters(self.connections_refused.collect(Counter::value)),
            },
        ]
    }

    fn connection_families(&self) -> Vec<Family> {
        vec![
            Family {
                name: "portcullis_tls_handshakes",
                help: "TLS handshakes of clients.",
                labels: &["listener", "result"],
                values: Values::Counters(self.tls_handshakes.collect(Counter::value)),
            },
            Family {
                name: "portcullis_proxy_protocol_refused",
                help: "Connections closed for their PROXY protocol header.",
                labels: &["listener", "reason"],
                values: Values::Counters(self.proxy_headers_refused.collect(Counter::value)),
            },
            Family {
                name: "portcullis_acme_orders",
                help: "Attempts to obtain a certificate by ACME.",
                labels: &["result"],
                values: Values::Counters(self.acme_orders.collect(Counter::value)),
            },
            gauges(
                "portcullis_certificate_not_after_seconds",
                "When a certificate ends, in Unix time.",
                &["name"],
                &self.certificates,
            ),
            gauge(
                "portcullis_certificates_outdated",
                "Certificates shown that are older than their files, which can not be used.",
                &self.certificates_outdated,
            ),
        ]
    }

    fn upstream_families(&self) -> Vec<Family> {
        vec![
            gauges(
                "portcullis_upstream_healthy",
                "Whether an endpoint takes requests: it is healthy, and not left alone.",
                &["upstream", "endpoint"],
                &self.upstream_healthy,
            ),
            Family {
                name: "portcullis_upstream_retries",
                help: "Requests that were sent to an upstream again.",
                labels: &["upstream"],
                values: Values::Counters(self.upstream_retries.collect(Counter::value)),
            },
            Family {
                name: "portcullis_upstream_retries_exhausted",
                help: "Requests that failed and were not sent again, because their attempts or the budget were used up.",
                labels: &["upstream", "reason"],
                values: Values::Counters(self.upstream_retries_exhausted.collect(Counter::value)),
            },
            Family {
                name: "portcullis_upstream_ejections",
                help: "How often an endpoint was left alone because its requests failed.",
                labels: &["upstream"],
                values: Values::Counters(self.upstream_ejections.collect(Counter::value)),
            },
            Family {
                name: "portcullis_upstream_refused",
                help: "Requests that were refused before they were sent to an upstream.",
                labels: &["upstream", "reason"],
                values: Values::Counters(self.upstream_refused.collect(Counter::value)),
            },
            Family {
                name: "portcullis_upstream_health_checks",
                help: "Active checks of an endpoint.",
                labels: &["upstream", "endpoint", "result"],
                values: Values::Counters(self.upstream_health_checks.collect(Counter::value)),
            },
            gauges(
                "portcullis_upstream_addresses",
                "Addresses that an endpoint has.",
                &["upstream", "endpoint"],
                &self.upstream_addresses,
            ),
            gauges(
                "portcullis_upstream_requests_queued",
                "Requests that wait because limits.max_requests are under way.",
                &["upstream"],
                &self.upstream_queue,
            ),
            gauges(
                "portcullis_upstream_requests_under_way",
                "Requests under way to an upstream that has limits.",
                &["upstream"],
                &self.upstream_under_way,
            ),
        ]
    }

    /// Of the configuration, and of hand-overs.
    fn configuration_families(&self) -> Vec<Family> {
        let reloads = [("success", &self.reloads_good), ("failure", &self.reloads_bad)]
            .map(|(l, c)| (vec![l.into()], c.value()));
        let handovers = [("success", &self.handovers_good), ("failure", &self.handovers_bad)]
            .map(|(l, c)| (vec![l.into()], c.value()));
        vec![
            Family {
                name: "portcullis_config_reloads",
                help: "Reloads of the configuration.",
                labels: &["result"],
                values: Values::Counters(reloads.into()),
            },
            gauge(
                "portcullis_config_last_reload_successful",
                "Whether the last reload was taken over.",
                &self.last_reload_good,
            ),
            gauge(
                "portcullis_config_last_reload_success_timestamp_seconds",
                "Since when the present configuration is in force, in Unix time.",
                &self.last_good_reload_at,
            ),
            Family {
                name: "portcullis_handovers",
                help: "Hand-overs to a new process, this one's and those of the processes before it.",
                labels: &["result"],
                values: Values::Counters(handovers.into()),
            },
        ]
    }

    /// Of the store, of the nodes on it, and of what is written to it late.
    fn store_families(&self) -> Vec<Family> {
        vec![
            gauge("portcullis_store_up", "Whether the store answers.", &self.store_up),
            gauge(
                "portcullis_store_staleness_seconds",
                "Age of the newest thing known from the store.",
                &self.store_staleness,
            ),
            gauge(
                "portcullis_store_connections",
                "Open connections to the store's server; 0 with a file.",
                &self.store_connections,
            ),
            count(
                "portcullis_store_connections_opened",
                "Connections to the store's server that were opened.",
                &self.store_connections_opened,
            ),
            count(
                "portcullis_store_connection_failures",
                "Attempts to connect to the store's server that failed.",
                &self.store_connection_failures,
            ),
            gauge(
                "portcullis_nodes",
                "Nodes on the store's roll that are heard of, this one among them.",
                &self.nodes,
            ),
            gauge(
                "portcullis_usage_unwritten_seconds",
                "How old the oldest use of a key may be that is not in the store yet.",
                &self.usage_unwritten,
            ),
            count(
                "portcullis_usage_refusals_dropped",
                "Refusals that are missing from the history of uses, because too many waited to be written.",
                &self.refusals_dropped,
            ),
            gauges(
                "portcullis_tokens_expiring",
                "Keys that expire soon.",
                &["within"],
                &self.tokens_expiring,
            ),
        ]
    }

    /// Of what outlives its request: tunnels, streams, lines of the log, spans.
    fn stream_families(&self) -> Vec<Family> {
        vec![
            Family {
                name: "portcullis_access_log_dropped",
                help: "Lines of the access log that were not written.",
                labels: &[],
                values: Values::Counters(vec![(Vec::new(), self.log_dropped.value())]),
            },
            gauges(
                "portcullis_tunnels",
                "Connections that go on in another protocol, such as WebSocket.",
                &["api", "route"],
                &self.tunnels,
            ),
            Family {
                name: "portcullis_streams_closed",
                help: "Requests and answers under way that were closed because their key or session could not go on.",
                labels: &["reason"],
                values: Values::Counters(self.streams_closed.collect(Counter::value)),
            },
            Family {
                name: "portcullis_trace_spans",
                help: "Spans of requests that were traced, by what became of them.",
                labels: &["result"],
                values: Values::Counters(self.spans.collect(Counter::value)),
            },
        ]
    }

    fn webhook_families(&self) -> Vec<Family> {
        vec![
            Family {
                name: "portcullis_webhook_deliveries",
                help: "Attempts to deliver an event to a webhook endpoint.",
                labels: &["outcome"],
                values: Values::Counters(self.webhook_deliveries.collect(Counter::value)),
            },
            gauge(
                "portcullis_webhook_queue_length",
                "Deliveries of events that are on their way.",
                &self.webhook_queue,
            ),
            gauge(
                "portcullis_webhook_queue_oldest_age_seconds",
                "Age of the oldest delivery that is on its way.",
                &self.webhook_oldest,
            ),
        ]
    }
}

fn count(name: &'static str, help: &'static str, count: &AtomicU64) -> Family {
    let values = Values::Counters(vec![(Vec::new(), count.load(Ordering::Relaxed))]);
    Family { name, help, labels: &[], values }
}

fn gauge(name: &'static str, help: &'static str, gauge: &Gauge) -> Family {
    Family { name, help, labels: &[], values: Values::Gauges(vec![(Vec::new(), gauge.value())]) }
}

fn gauges(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    series: &Series<Gauge>,
) -> Family {
    Family { name, help, labels, values: Values::Gauges(series.collect(Gauge::value)) }
}
