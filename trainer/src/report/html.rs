//! Pieces of HTML: escaped texts, tables and sections.

use crate::escape::escaped;

/// Returns a text in which no character starts a tag, ends an attribute, hides or reorders its neighbours.
pub fn escaped_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escaped(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    /// How strongly the cell is coloured, in 0..=1; `None` without colour.
    heat: Option<f64>,
    /// A text that is shown when the pointer rests on the cell.
    hint: String,
    /// Whether the cell names its row.
    is_head: bool,
    /// Whether the cell is a text of several words.
    is_note: bool,
    /// Address to which the text leads; empty for none.
    address: String,
}

impl Cell {
    /// Creates a cell of text.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            heat: None,
            hint: String::new(),
            is_head: false,
            is_note: false,
            address: String::new(),
        }
    }

    /// Creates a cell that names its row.
    pub fn head(text: impl Into<String>) -> Self {
        Self { is_head: true, ..Self::new(text) }
    }

    /// Creates a cell that names its row and leads to an address.
    pub fn link(text: impl Into<String>, address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::head(text) }
    }

    /// Creates a cell with a text of several words.
    pub fn note(text: impl Into<String>) -> Self {
        Self { is_note: true, ..Self::new(text) }
    }

    /// Adds a text that is shown when the pointer rests on the cell.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Creates a coloured cell. `share` is the strength of the colour in 0..=1.
    pub fn heat(text: impl Into<String>, share: f64, hint: impl Into<String>) -> Self {
        let heat = Some(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 });
        Self { heat, hint: hint.into(), ..Self::new(text) }
    }

    fn html(&self) -> String {
        let Self { text, heat, hint, is_head, is_note, address } = self;
        let mut text = escaped_html(text);
        if !address.is_empty() {
            text = format!("<a href=\"{}\">{text}</a>", escaped_html(address));
        }
        if *is_head {
            return format!("<th scope=\"row\">{text}</th>");
        }
        let hint = if hint.is_empty() { String::new() } else { format!(" title=\"{}\"", escaped_html(hint)) };
        match heat {
            Some(share) => format!("<td class=\"heat\" style=\"--h:{:.0}%\"{hint}>{text}</td>", 100.0 * share),
            None if *is_note => format!("<td class=\"note\"{hint}>{text}</td>"),
            None => format!("<td{hint}>{text}</td>"),
        }
    }
}

/// Returns a figure with a table, a title, and a caption that says what to look for.
pub fn table(title: &str, look_for: &str, head: &[String], rows: &[Vec<Cell>]) -> String {
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escaped_html(name))).collect();
    let rows: String =
        rows.iter().map(|row| format!("<tr>{}</tr>\n", row.iter().map(Cell::html).collect::<String>())).collect();
    let (title, look_for) = (escaped_html(title), escaped_html(look_for));
    format!(
        "<figure class=\"table\"><p class=\"name\">{title}</p><div class=\"scroll\"><table><thead><tr>{head}</tr></thead>\n\
         <tbody>{rows}</tbody></table></div><figcaption>{look_for}</figcaption></figure>\n"
    )
}

/// Returns a paragraph of plain text.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped_html(text))
}

/// Returns the answer of a page in a sentence. `class` is `yes`, `partly` or `no`.
pub fn verdict(class: &str, text: &str) -> String {
    format!("<p class=\"verdict {class}\">{}</p>\n", escaped_html(text))
}

/// Returns a section with a heading. `id` is a plain word.
pub fn section(id: &str, heading: &str, content: &str) -> String {
    format!("<section id=\"{id}\"><h2>{}</h2>\n{content}</section>\n", escaped_html(heading))
}

/// Returns a paragraph that says why a section does not apply.
pub fn absent(reason: &str) -> String {
    format!("<p class=\"absent\">{}</p>\n", escaped_html(reason))
}

/// Returns a whole page.
pub fn page(title: &str, body: &str) -> String {
    let style = include_str!("style.css");
    let title = escaped_html(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}
