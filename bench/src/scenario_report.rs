//! Calls over bad networks as one page of plots, without a library: of each call's first seed what the first viewer's
//! link took, what was estimated of it, what was sent, the queue and the layer.

use crate::html::escape;
use crate::scenario_peers::{Compared, Figures};
use railgun_peer::simulator::Viewed;
use railgun_peer::simulator::catalogue::{Entry, Figure, Target};
use std::fmt::Write;
use std::time::Duration;

const WIDTH: f64 = 900.0;
const RATES: f64 = 180.0;
const QUEUE: f64 = 70.0;
const LAYERS: f64 = 60.0;
const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:58rem;padding:0 1rem;\
    color:#14181f;background:#fff}svg{width:100%;height:auto;display:block}text{font-size:11px;fill:#566070}\
    .frame{fill:none;stroke:#dde1e7}.link{fill:none;stroke:#97a3b4;stroke-width:2}\
    .estimate{fill:none;stroke:#1f5fd6;stroke-width:1.5}.sent{fill:none;stroke:#0b7a45;stroke-width:1.5}\
    .queue{fill:none;stroke:#a15c00}.layer{fill:none;stroke:#6b3fa0;stroke-width:2}.frozen{fill:#b3261e;opacity:.25}\
    table{border-collapse:collapse;font-size:13px}td,th{padding:.1rem .8rem .1rem 0;text-align:left;font-weight:400}th{color:#566070}.missed{color:#b3261e}\
    p{color:#566070;margin:.2rem 0}h2{margin:2rem 0 .3rem;font-size:1.1rem}";

/// The page, call by call.
#[derive(Debug, Default)]
pub(crate) struct Page {
    summary: String,
    body: String,
}

impl Page {
    /// `seeds`: of each figure its values, one a seed. `viewed`: what was plotted.
    pub(crate) fn add(&mut self, entry: &Entry, seed: u64, viewed: &Viewed, figures: &[&[Figure]]) {
        let _ = write!(self.body, "<h2>{}</h2>", escape(&entry.name));
        self.body.push_str(&plot(entry, viewed));
        let _ = write!(self.body, "<p>Plotted: seed {seed}, the first viewer.</p><table>");
        for seeds in figures {
            let Some(first) = seeds.first() else { continue };
            let reached = seeds.iter().filter(|it| it.is_reached()).count();
            let (sign, target) = match first.target {
                Target::AtMost(most) => ("\u{2264}", most),
                Target::AtLeast(least) => ("\u{2265}", least),
            };
            let values: Vec<String> = seeds.iter().map(|it| format!("{:.2}", it.value)).collect();
            let class = if reached == seeds.len() { "" } else { " class=missed" };
            let _ = write!(
                self.body,
                "<tr{class}><td>{}</td><td>{sign} {target}</td><td>{reached}/{}</td><td>{}</td></tr>",
                escape(first.name),
                seeds.len(),
                values.join(" &nbsp;"),
            );
        }
        self.body.push_str("</table>");
    }

    /// Adds how the call just added was with other congestion controls on the same link with the same seeds.
    pub(crate) fn compare(&mut self, others: &[Compared]) {
        let Some(first) = others.first() else { return };
        self.body.push_str(
            "<table><tr><th>congestion control<th>pictures shown, kbit/s<th>queue p95, ms<th>frozen, s\
             <th>padding, %<th>the node's is",
        );
        self.body.push_str(&row("the node's", &first.node, ""));
        others.iter().for_each(|it| self.body.push_str(&row(it.name, &it.other, it.verdict)));
        self.body.push_str("</table>");
    }

    /// Says how many calls there were of what, a line each.
    pub(crate) fn summarise(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.summary.push_str(&format!("<p>{}</p>", escape(line))));
    }

    pub(crate) fn render(&self) -> String {
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
             <title>Rail Gun: calls over bad networks</title><style>{STYLE}</style><h1>Calls over bad networks</h1>\
             <p>Grey: what the link takes. Blue: the estimate. Green: what the node sent, by second. Ochre: the queue. \
             Violet: spatial and temporal layer of the first camera. Red: no new picture for 400 ms and more.</p>{}{}",
            self.summary, self.body
        )
    }
}

/// Of one congestion control, with the mean of each figure over the seeds.
fn row(name: &str, figures: &Figures, verdict: &str) -> String {
    let Figures { shown_kbps, queue_p95_ms, frozen_s, padding_percent } = figures;
    let values = [shown_kbps, queue_p95_ms, frozen_s, padding_percent].map(|it| format!("<td>{it:.1}"));
    format!("<tr><td>{}{}<td>{}", escape(name), values.concat(), escape(verdict))
}

fn plot(entry: &Entry, viewed: &Viewed) -> String {
    let length = viewed.queue.len().max(1) as f64 / 1_000.0;
    let x = |at: f64| at / length * WIDTH;
    let seconds = 0..viewed.sent_by_second.len();
    let sent: Vec<f64> = seconds.map(|at| sent_in(viewed, at)).collect();
    let estimates: Vec<(f64, f64)> = viewed
        .estimates
        .iter()
        .filter_map(|(at, rate)| Some((at.as_secs_f64(), rate.map(|it| it as f64)?)))
        .collect();
    let wanted = sent.iter().copied().chain(estimates.iter().map(|it| it.1));
    // A link far above what anybody sends would flatten the rest.
    let top = wanted.fold(100_000.0, f64::max) * 1.15;
    let y = |rate: f64| RATES - (rate.min(top) / top) * RATES;
    let steps = 0..viewed.estimates.len();
    let link = steps.map(|step| {
        let at = Duration::from_millis(100 * step as u64);
        (x(at.as_secs_f64()), y(entry.link_rate(at) as f64))
    });
    let sent = sent.iter().enumerate().map(|(second, rate)| (x(second as f64 + 0.5), y(*rate)));
    let longest = viewed.queue.iter().copied().fold(100.0, f32::max);
    let queue_top = RATES + 14.0;
    let queue = viewed.queue.chunks(100).enumerate().map(|(step, wait)| {
        let most = wait.iter().copied().fold(0.0, f32::max);
        (x(step as f64 / 10.0), queue_top + QUEUE - f64::from(most / longest) * QUEUE)
    });
    let layer_top = queue_top + QUEUE + 14.0;
    let height = layer_top + LAYERS + 16.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {height}\" role=img aria-label=\"{}\">",
        WIDTH + 60.0,
        escape(&entry.name)
    );
    for (top, high) in [(0.0, RATES), (queue_top, QUEUE), (layer_top, LAYERS)] {
        let _ = write!(svg, "<rect class=frame x=0 y={top} width={WIDTH} height={high} />");
    }
    let picture = viewed.pictures.first();
    for (begin, gap) in picture.into_iter().flat_map(|it| &it.freezes) {
        let (from, wide) = (x(begin.as_secs_f64()), x(gap.as_secs_f64()));
        let _ =
            write!(svg, "<rect class=frozen x={from:.1} y={layer_top} width={wide:.1} height={LAYERS} />");
    }
    line(&mut svg, "link", link);
    line(&mut svg, "estimate", estimates.iter().map(|(at, rate)| (x(*at), y(*rate))));
    line(&mut svg, "sent", sent);
    line(&mut svg, "queue", queue);
    let layers = picture.map(|it| it.layers.as_slice()).unwrap_or_default();
    let ends = layers.iter().skip(1).map(|(at, _)| at.as_secs_f64()).chain([length]);
    let level = |layers: Option<(u8, u8)>| {
        layers.map_or(0.0, |(s, t)| 1.0 + 3.0 * f64::from(s.min(2)) + f64::from(t.min(2)))
    };
    let steps = layers.iter().zip(ends).flat_map(|((begin, layers), end)| {
        let place = layer_top + LAYERS - 3.0 - level(*layers) / 9.0 * (LAYERS - 6.0);
        [(x(begin.as_secs_f64()), place), (x(end), place)]
    });
    line(&mut svg, "layer", steps);
    let mut word = |y: f64, text: &str| {
        let _ = write!(svg, "<text x={} y={y:.0}>{text}</text>", WIDTH + 4.0);
    };
    word(10.0, &format!("{:.1} Mbit/s", top / 1e6));
    word(queue_top + 10.0, &format!("{longest:.0} ms"));
    word(layer_top + 10.0, "layer 2");
    word(layer_top + LAYERS, "none");
    let _ = write!(
        svg,
        "<text x=0 y={height:.0}>0 s</text><text x={:.0} y={height:.0}>{length:.0} s</text></svg>",
        WIDTH - 24.0
    );
    svg
}

/// Bits of this second.
fn sent_in(viewed: &Viewed, second: usize) -> f64 {
    let until = |at: usize| viewed.sent_by_second.get(at).copied().unwrap_or(0);
    let before = second.checked_sub(1).map_or(0, until);
    until(second).saturating_sub(before) as f64 * 8.0
}

fn line(svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(svg, "<polyline class={class} points=\"{}\" />", points.join(" "));
}
