//! The page around the figures.

use super::figures::text;
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// A heading and what belongs to it.
#[derive(Debug, Default)]
pub(super) struct Section {
    title: String,
    lead: String,
    tiles: String,
    body: String,
}

/// Whether a figure is what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing was promised.
    None,
    Held,
    Missed,
}

impl Verdict {
    pub(super) fn of(held: bool) -> Self {
        if held { Self::Held } else { Self::Missed }
    }
}

impl Section {
    /// `lead`: a sentence or two on what is measured.
    pub(super) fn new(title: &str, lead: &str) -> Self {
        Self { title: escape(title), lead: escape(lead), ..Self::default() }
    }

    /// One figure that the section is about.
    pub(super) fn tile(mut self, name: &str, value: &str, note: &str, verdict: Verdict) -> Self {
        let (class, mark) = match verdict {
            Verdict::None => ("", ""),
            Verdict::Held => (" held", "<span class=mark>\u{2713} within</span> "),
            Verdict::Missed => (" missed", "<span class=mark>\u{2717} beyond</span> "),
        };
        let (name, value, note) = (escape(name), escape(value), escape(note));
        let _ = write!(
            self.tiles,
            "<div class='tile{class}'><dt>{name}</dt><dd><b>{value}</b><small>{mark}{note}</small></dd></div>"
        );
        self
    }

    pub(super) fn heading(mut self, title: &str) -> Self {
        let _ = write!(self.body, "<h3>{}</h3>", escape(title));
        self
    }

    /// Something that speaks against the figures.
    pub(super) fn doubt(mut self, text: &str) -> Self {
        let _ = write!(self.body, "<p class=doubt><b>Doubtful.</b> {}</p>", escape(text));
        self
    }

    /// A chart, made by [`super::chart::Chart::svg`].
    pub(super) fn chart(mut self, svg: &str) -> Self {
        let _ = write!(self.body, "<figure>{svg}</figure>");
        self
    }

    /// A table whose first column is words and whose others are numbers.
    pub(super) fn table(mut self, head: &[&str], rows: &[Vec<String>]) -> Self {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
        let head = cells("th", &mut head.iter().copied());
        let rows = rows.iter().map(|row| cells("td", &mut row.iter().map(String::as_str)));
        let rows: String = rows.collect();
        let _ = write!(
            self.body,
            "<div class=scroll tabindex=0 role=region aria-label='Table of figures'>\
             <table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
        );
        self
    }

    fn render(&self) -> String {
        let Self { title, lead, tiles, body } = self;
        let tiles = if tiles.is_empty() { String::new() } else { format!("<dl class=tiles>{tiles}</dl>") };
        format!("<section><h2>{title}</h2><p class=lead>{lead}</p>{tiles}{body}</section>\n")
    }
}

/// A kind that has no function of its own: what it says, as it says it.
pub(super) fn plain(name: &str, figures: &Value) -> Section {
    let mut rows = Vec::new();
    flatten(figures, String::new(), &mut rows);
    Section::new(name, "As --json gives it.").table(&["figure", "value"], &rows)
}

fn flatten(value: &Value, name: String, rows: &mut Vec<Vec<String>>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(value, below(key), rows)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(place, value)| flatten(value, below(&place.to_string()), rows));
        }
        Value::String(text) => rows.push(vec![name, text.clone()]),
        other => rows.push(vec![name, other.to_string()]),
    }
}

/// What of the machine is shown, by its name in the description.
const MACHINE: [(&str, &str); 15] = [
    ("cpu", "CPU"),
    ("cores", "Cores"),
    ("smt", "SMT"),
    ("boost", "Boost"),
    ("governor", "Governor"),
    ("isolatedCores", "Isolated cores"),
    ("virtualMachine", "Virtual machine"),
    ("memory", "Memory"),
    ("kernel", "Kernel"),
    ("load", "Load before"),
    ("socketBuffers", "Socket buffers"),
    ("offloads", "Card offloads"),
    ("mitigations", "CPU mitigations"),
    ("version", "Version"),
    ("commit", "Commit"),
];

pub(super) fn render(sections: &[Section], machine: &Value) -> String {
    let date = escape(text(machine, "/date"));
    let day = date.replace('T', " ").replace('Z', " UTC");
    let short = [("/cpu", ""), ("/cores", " cores"), ("/memory", ""), ("/kernel", ""), ("/commit", "")];
    let short = short.iter().map(|(name, unit)| (text(machine, name), unit)).filter(|(it, _)| !it.is_empty());
    let short: Vec<String> = short.map(|(it, unit)| escape(it) + unit).collect();
    let short = short.join(" \u{b7} ");
    let known = MACHINE.iter().filter_map(|(name, title)| {
        let value = machine.get(name)?.as_str()?;
        Some(format!("<div><dt>{title}</dt><dd>{}</dd></div>", escape(value)))
    });
    let machine: String = known.collect();
    let sections: String = sections.iter().map(Section::render).collect();
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content='width=device-width, initial-scale=1'>\
         <meta name=color-scheme content='light dark'>\
         <title>Rail Gun: measurements</title><style>{STYLE}</style></head>\n\
         <body><header><p class=brand>Rail Gun</p><h1>Measurements</h1>\
         <p class=on>{short}</p><p class=lead><time datetime='{date}'>{day}</time>. Compare figures of one machine and one kernel only; \
         a ratio to the floor holds further than an absolute figure.</p></header>\n<main>{sections}\
         <section><h2>The machine</h2><dl class=machine>{machine}</dl></section></main>\n\
         <footer><p>Made by railgun-bench. What each figure means, and how to take it again: \
         <code>bench/README.md</code>.</p></footer></body></html>\n"
    )
}

/// Text as HTML, in attributes too.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A number as people read it: digits in threes, and no more of them than say something.
pub(super) fn readable(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = match value.abs() {
        100.0.. => 0,
        whole if whole.fract() == 0.0 => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped + rest
}
