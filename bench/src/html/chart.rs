//! Charts of lying bars and dots. Places are in percent and letters in pixels, so that a chart fits a
//! phone as it fits a desk, and says the same.

use super::page::{escape, readable};
use crate::spread::Spread;
use std::fmt::Write;

/// Heights in pixels: of a row's words, of one of its lanes, and below it.
const WORDS: f64 = 20.0;
const LANE: f64 = 16.0;
const BELOW: f64 = 12.0;
/// Of the scale at the foot, and of the goal's words at the head.
const SCALE: f64 = 26.0;
const GOAL: f64 = 22.0;
const TICKS_MAX: f64 = 6.0;

/// From numbers to places.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    /// Bars begin at `from`.
    Linear { from: f64, to: f64 },
    /// By powers of ten, both ends above zero.
    Log { from: f64, to: f64 },
}

impl Axis {
    /// From `from` to a little more than the greatest value.
    pub(super) fn up_to(from: f64, values: impl IntoIterator<Item = f64>) -> Self {
        let greatest = values.into_iter().filter(|it| it.is_finite()).fold(from, f64::max);
        let to = if greatest > from { from + (greatest - from) * 1.04 } else { from + 1.0 };
        Self::Linear { from, to }
    }

    /// Between the powers of ten around all values.
    pub(super) fn decades(values: impl IntoIterator<Item = f64> + Clone) -> Self {
        let positive = || values.clone().into_iter().filter(|it| it.is_finite() && *it > 0.0);
        let (least, greatest) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
        if greatest == 0.0 {
            return Self::Log { from: 1.0, to: 10.0 };
        }
        let from = 10_f64.powf(least.log10().floor());
        Self::Log { from, to: 10_f64.powf(greatest.log10().ceil()).max(from * 10.0) }
    }

    /// In percent of the width.
    fn place(self, value: f64) -> f64 {
        let part = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => (value.max(from) / from).log10() / (to / from).log10(),
        };
        if part.is_finite() { part.clamp(0.0, 1.0) * 100.0 } else { 0.0 }
    }

    fn ticks(self) -> Vec<f64> {
        let (mut tick, last, next): (f64, f64, Box<dyn Fn(f64) -> f64>) = match self {
            Self::Linear { from, to } => {
                let step = round_step((to - from) / TICKS_MAX);
                ((from / step).ceil() * step, to, Box::new(move |tick| tick + step))
            }
            Self::Log { from, to } => (from, to * 1.001, Box::new(|tick| tick * 10.0)),
        };
        let mut ticks = Vec::new();
        while tick <= last && ticks.len() < 20 {
            ticks.push(tick);
            tick = next(tick);
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10 and so on.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= least * 0.999).unwrap_or(least)
}

/// What is drawn on one line. `series` is a colour: 0 ours, 1 what it is compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pub(super) series: usize,
    pub(super) bar: Option<f64>,
    /// Least and greatest.
    pub(super) whisker: Option<(f64, f64)>,
    /// Each with what it is.
    pub(super) dots: Vec<(f64, String)>,
    /// All of the lane in words.
    pub(super) words: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) name: String,
    /// The row's figure, as it is to be read.
    pub(super) value: String,
    pub(super) is_missed: bool,
    pub(super) lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// For those who do not see it.
    pub(super) title: String,
    pub(super) axis: Axis,
    pub(super) unit: &'static str,
    /// A line that values should stay left of, and its words.
    pub(super) goal: Option<(f64, String)>,
    /// Names of the series, if there are several.
    pub(super) series: Vec<&'static str>,
    /// Names of a lane's dots, in their order.
    pub(super) dots: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

impl Chart {
    pub(super) fn svg(&self) -> String {
        let head = if self.goal.is_some() { GOAL } else { 0.0 };
        let height_of = |row: &Row| WORDS + LANE * row.lanes.len() as f64 + BELOW;
        let rows: f64 = self.rows.iter().map(height_of).sum();
        let (foot, height) = (head + rows, head + rows + SCALE);
        let mut svg = self.legend();
        let title = escape(&self.title);
        let _ = write!(svg, "<svg role=img aria-label='{title}' height='{height:.0}'><title>{title}</title>");
        self.draw_scale(head, foot, &mut svg);
        if let Some((goal, words)) = &self.goal {
            let (x, words) = (self.axis.place(*goal), escape(words));
            let anchor = if x > 50.0 { "end" } else { "start" };
            let _ = write!(
                svg,
                "<g class=goal><line x1='{x:.2}%' x2='{x:.2}%' y1='{GOAL}' y2='{foot:.0}'/>\
                 <text x='{x:.2}%' y='14' text-anchor={anchor}>{words}</text></g>"
            );
        }
        let mut top = head;
        for row in &self.rows {
            self.draw_row(row, top, &mut svg);
            top += height_of(row);
        }
        svg + "</svg>"
    }

    fn legend(&self) -> String {
        let of = |letter: char, names: &[&str]| {
            let names = names.iter().enumerate();
            let names =
                names.map(|(k, name)| format!("<span class={letter}{k}><i></i>{}</span>", escape(name)));
            names.collect::<String>()
        };
        let series = if self.series.len() > 1 { of('s', &self.series) } else { String::new() };
        let all = series + &of('d', &self.dots);
        if all.is_empty() { all } else { format!("<figcaption>{all}</figcaption>") }
    }

    fn draw_scale(&self, head: f64, foot: f64, svg: &mut String) {
        let ticks = self.axis.ticks();
        let decimals = ticks.iter().map(|tick| decimals_of(*tick)).max().unwrap_or_default();
        let text_y = foot + 18.0;
        for (place, tick) in ticks.iter().enumerate() {
            let x = self.axis.place(*tick);
            let anchor = match x {
                ..4.0 => "start",
                92.0.. => "end",
                _ => "middle",
            };
            let unit = if place == 0 { self.unit } else { "" };
            let _ = write!(
                svg,
                "<line class=grid x1='{x:.2}%' x2='{x:.2}%' y1='{head:.0}' y2='{foot:.0}'/>\
                 <text class=tick x='{x:.2}%' y='{text_y:.0}' text-anchor={anchor}>{}{unit}</text>",
                tick_words(*tick, decimals)
            );
        }
    }

    fn draw_row(&self, row: &Row, top: f64, svg: &mut String) {
        let (name, value, words_y) = (escape(&row.name), escape(&row.value), top + 14.0);
        // Not by colour alone.
        let (class, mark) = if row.is_missed { ("value missed", "\u{2717} ") } else { ("value", "") };
        let _ = write!(
            svg,
            "<text class=name y='{words_y:.0}'>{name}</text>\
             <text class='{class}' x='100%' y='{words_y:.0}' text-anchor=end>{mark}{value}</text>"
        );
        for (place, lane) in row.lanes.iter().enumerate() {
            self.draw_lane(lane, row.is_missed, top + WORDS + LANE * place as f64, svg);
        }
    }

    fn draw_lane(&self, lane: &Lane, is_missed: bool, top: f64, svg: &mut String) {
        let Lane { series, bar, whisker, dots, words } = lane;
        let missed = if is_missed && *series == 0 { " missed" } else { "" };
        let middle = top + (LANE - 4.0) / 2.0;
        let _ = write!(svg, "<g class='lane s{series}{missed}'><title>{}</title>", escape(words));
        if let Some(bar) = bar {
            let width = self.axis.place(*bar).max(0.2);
            let _ = write!(svg, "<rect y='{top:.1}' width='{width:.2}%' height='{:.1}' rx=2 />", LANE - 4.0);
        }
        if let Some((min, max)) = whisker {
            let (from, to, half) = (self.axis.place(*min), self.axis.place(*max), 4.0);
            let (upper, lower) = (middle - half, middle + half);
            let _ = write!(
                svg,
                "<line class=whisker x1='{from:.2}%' x2='{to:.2}%' y1='{middle:.1}' y2='{middle:.1}'/>\
                 <line class=whisker x1='{from:.2}%' x2='{from:.2}%' y1='{upper:.1}' y2='{lower:.1}'/>\
                 <line class=whisker x1='{to:.2}%' x2='{to:.2}%' y1='{upper:.1}' y2='{lower:.1}'/>"
            );
        }
        for (place, (value, what)) in dots.iter().enumerate() {
            let (x, what) = (self.axis.place(*value), escape(what));
            let _ = write!(
                svg,
                "<circle class=d{place} cx='{x:.2}%' cy='{middle:.1}' r=5><title>{what}</title></circle>"
            );
        }
        svg.push_str("</g>");
    }
}

/// How many decimals a tick needs, of two that are shown at most.
fn decimals_of(tick: f64) -> usize {
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// Short: thousands and millions by their letters.
fn tick_words(tick: f64, decimals: usize) -> String {
    match tick.abs() {
        1e6.. => format!("{}M", tick / 1e6),
        1e4.. => format!("{}k", tick / 1e3),
        _ => format!("{tick:.decimals$}"),
    }
}

impl Lane {
    /// A bar to the median, and a whisker from the least to the greatest.
    pub(super) fn of(series: usize, name: &str, spread: Spread, unit: &str) -> Self {
        let [median, min, max] = [spread.median, spread.min, spread.max].map(readable);
        Self {
            series,
            bar: Some(spread.median),
            whisker: Some((spread.min, spread.max)),
            dots: Vec::new(),
            words: format!("{name}: median {median}{unit}, from {min} to {max}"),
        }
    }

    /// A dot for each value, lowest first, and a line between the ends.
    pub(super) fn percentiles(values: &[(f64, &str)], unit: &str) -> Self {
        let dots = values.iter().map(|(value, name)| (*value, format!("{name}: {}{unit}", readable(*value))));
        let dots: Vec<_> = dots.collect();
        let words: Vec<&str> = dots.iter().map(|(_, words)| words.as_str()).collect();
        let words = words.join(", ");
        let whisker =
            values.first().zip(values.last()).map(|((least, _), (greatest, _))| (*least, *greatest));
        Self { whisker, dots, words, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_parts_of_the_scale_and_never_beside_it() {
        let linear = Axis::Linear { from: 1.0, to: 3.0 };
        assert_eq!([0.0, 1.5, 3.0, 9.0, f64::NAN].map(|it| linear.place(it)), [0.0, 25.0, 100.0, 100.0, 0.0]);
        let log = Axis::decades([7.0, 64.0]);
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|it| log.place(it)), [0.0, 0.0, 50.0, 100.0]);
        assert_eq!(Axis::decades([]).place(5.0), Axis::Log { from: 1.0, to: 10.0 }.place(5.0));
    }

    #[test]
    fn ticks_are_round_and_within_the_scale() {
        let words = |axis: Axis| {
            let ticks = axis.ticks();
            let decimals = ticks.iter().map(|tick| decimals_of(*tick)).max().unwrap_or_default();
            ticks.iter().map(|tick| tick_words(*tick, decimals)).collect::<Vec<_>>()
        };
        assert_eq!(words(Axis::up_to(1.0, [1.2])), ["1.00", "1.05", "1.10", "1.15", "1.20"]);
        assert_eq!(words(Axis::up_to(0.0, [4117.0])), ["0", "1000", "2000", "3000", "4000"]);
        assert_eq!(words(Axis::decades([30.0, 20_000.0])), ["10", "100", "1000", "10k", "100k"]);
    }
}
