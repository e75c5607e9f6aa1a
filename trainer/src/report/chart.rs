//! Charts as SVG, drawn by `plotters`. Colours are variables of the page's style sheet, so that charts follow its theme.

use std::fmt::Write as _;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::html::escaped_html;
use super::words::{number, shortened};

/// Usual width of a chart in pixels.
const WIDTH: u32 = 720;
/// Size of the text in a chart, in the units of `plotters`, which draws it at 1 / 1.24 of that.
const TEXT: u32 = 15;

/// A colour of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text and axes.
    Ink,
    /// Grid lines, and lines that stand for an ideal.
    Grid,
    /// Normal rows, and the model of the page.
    Normal,
    /// Anomalous rows.
    Anomalous,
    /// Thresholds and alarms.
    Alarm,
    /// The other model of the page, or drawn rows.
    Other,
    /// Intervals and shaded faults.
    Band,
}

impl Paint {
    const ALL: [Self; 7] = [Self::Ink, Self::Grid, Self::Normal, Self::Anomalous, Self::Alarm, Self::Other, Self::Band];

    /// Returns the name of the variable in the style sheet.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Ink => "--ink",
            Self::Grid => "--grid",
            Self::Normal => "--normal",
            Self::Anomalous => "--anomalous",
            Self::Alarm => "--alarm",
            Self::Other => "--other",
            Self::Band => "--band",
        }
    }

    /// Returns the colour that stands for the variable while a chart is drawn.
    const fn stand_in(self) -> RGBColor {
        let code = self as u8 + 1;
        RGBColor(code, code, code)
    }
}

/// One axis of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    title: String,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
    scale: fn(f64) -> f64,
}

impl Axis {
    /// Returns an axis from one number to another.
    pub fn linear(title: &str, from: f64, to: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let rough = (to - from) / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let first = (from / step).ceil() as i64;
        let last = (to / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|at| (at as f64 * step, number(at as f64 * step))).collect();
        Self { title: title.to_owned(), from, to, ticks, scale: |value| value }
    }

    /// Returns a logarithmic axis from one positive number to another.
    pub fn log(title: &str, from: f64, to: f64) -> Self {
        let scale: fn(f64) -> f64 = |value| value.max(1e-12).log10();
        let (low, high) = (scale(from), scale(to).max(scale(from) + 0.5));
        let first = low.ceil() as i32;
        let last = (high + 1e-9).floor() as i32;
        // Few powers of ten leave room for numbers between them.
        let digits: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all = (first - 1..=last).flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
        let shown = all.filter(|value| (low - 1e-9..=high + 1e-9).contains(&scale(*value)));
        let ticks = shown.map(|value| (value, number(value))).collect();
        Self { title: title.to_owned(), from: low, to: high, ticks, scale }
    }

    /// Returns an axis of positive numbers: logarithmic if they span a factor of five or more.
    pub fn positive(title: &str, from: f64, to: f64) -> Self {
        if to < 5.0 * from { Self::linear(title, from, to) } else { Self::log(title, from, to) }
    }

    /// Returns the number at a place of the axis, where 0 is the begin and 1 the end; the axis must not be one of logits.
    pub fn at(&self, place: f64) -> f64 {
        let value = self.from + place * (self.to - self.from);
        if (self.scale)(10.0) == 1.0 { 10f64.powf(value) } else { value }
    }

    /// Returns an axis of probabilities whose scale is the logit, which spreads both ends.
    pub fn logit(title: &str) -> Self {
        let scale: fn(f64) -> f64 = |share| {
            let share = share.clamp(1e-4, 1.0 - 1e-4);
            (share / (1.0 - share)).ln()
        };
        let ticks = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
        let ticks = ticks.into_iter().map(|share| (share, number(share))).collect();
        Self { title: title.to_owned(), from: scale(0.0), to: scale(1.0), ticks, scale }
    }

    /// Returns an axis with a text at each of these positions and no numbers.
    pub fn named(title: &str, names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(at, name)| (at as f64, shortened(name))).collect();
        Self { title: title.to_owned(), from: -0.6, to: names.len() as f64 - 0.4, ticks, scale: |value| value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let place = ((self.scale)(*value).clamp(self.from, self.to) - self.from) / (self.to - self.from);
        limit.0 + (place * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        number(*value)
    }
}

/// What a series draws.
#[derive(Clone, Debug)]
pub enum Marks {
    /// A line through (x, y).
    Line(Vec<(f64, f64)>),
    /// A dashed line through (x, y).
    Dashes(Vec<(f64, f64)>),
    /// Dots at (x, y).
    Dots(Vec<(f64, f64)>),
    /// Vertical lines at x from one y to another.
    Whiskers(Vec<(f64, f64, f64)>),
    /// The area between two curves: (x, lower y, upper y).
    Area(Vec<(f64, f64, f64)>),
    /// Rectangles: (left x, right x, lower y, upper y).
    Bars(Vec<[f64; 4]>),
}

/// One series of a chart, with its name in the legend; a series without a name is not in the legend.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    paint: Paint,
    marks: Marks,
}

impl Series {
    /// Creates a series.
    pub fn new(name: impl Into<String>, paint: Paint, marks: Marks) -> Self {
        Self { name: name.into(), paint, marks }
    }
}

/// A chart with two axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What the chart shows, in a few words.
    pub title: String,
    /// What a reader should look for, in plain words.
    pub look_for: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The series, drawn one over the other.
    pub series: Vec<Series>,
}

impl Chart {
    /// Creates a chart of the usual height.
    pub fn new(title: &str, look_for: impl Into<String>, x: Axis, y: Axis, series: Vec<Series>) -> Self {
        Self { title: title.to_owned(), look_for: look_for.into(), x, y, width: WIDTH, height: 320, series }
    }

    /// Returns the chart as a figure of HTML, with a legend and a caption.
    pub fn figure(&self) -> String {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (self.width, self.height)).into_drawing_area();
            self.draw(&area).expect("drawing to a string does not fail");
        }
        self.around(svg)
    }

    /// Returns a figure around a drawing, with the title, the legend and the caption of the chart.
    fn around(&self, svg: String) -> String {
        let (title, look_for) = (escaped_html(&self.title), escaped_html(&self.look_for));
        let mut legend = String::new();
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            let (name, variable) = (escaped_html(&series.name), series.paint.variable());
            let shape = match series.marks {
                Marks::Line(_) | Marks::Whiskers(_) => "line",
                Marks::Dashes(_) => "dashes",
                Marks::Dots(_) => "dot",
                Marks::Area(_) | Marks::Bars(_) => "box",
            };
            write!(legend, "<span><i class=\"{shape}\" style=\"--c:var({variable})\"></i>{name}</span>")
                .expect("a string takes any text");
        }
        let svg = Paint::ALL.into_iter().fold(svg, |svg, paint| {
            let RGBColor(r, g, b) = paint.stand_in();
            svg.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"var({})\"", paint.variable()))
        });
        let svg = svg.replacen("<svg ", "<svg role=\"img\" ", 1);
        let (head, rest) = svg.split_at(svg.find('>').map_or(0, |at| at + 1));
        format!(
            "<figure class=\"chart\"><p class=\"name\">{title}</p><p class=\"legend\">{legend}</p>{head}<title>{title}</title>\
             <desc>{look_for}</desc>{rest}<figcaption>{look_for}</figcaption></figure>\n"
        )
    }

    fn draw<'a>(
        &self,
        area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        let Self { x, y, .. } = self;
        let longest = y.ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0) as u32;
        let text = |axis: &Axis, value: f64| {
            axis.ticks.iter().find(|(at, _)| *at == value).map_or(String::new(), |(_, text)| text.clone())
        };
        let ink = Paint::Ink.stand_in();
        let label = ("sans-serif", TEXT).into_font().color(&ink);
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(20)
            .x_label_area_size(44)
            .y_label_area_size(36 + 7 * longest)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Paint::Grid.stand_in())
            .axis_style(ink)
            .label_style(label.clone())
            .axis_desc_style(label.clone())
            .x_labels(x.ticks.len().max(1))
            .y_labels(y.ticks.len().max(1))
            .x_label_formatter(&|value| text(x, *value))
            .y_label_formatter(&|value| text(y, *value))
            .x_desc(x.title.clone())
            .y_desc(y.title.clone())
            .draw()?;
        for Series { paint, marks, .. } in &self.series {
            let color = paint.stand_in();
            let at = |&point: &(f64, f64)| point;
            match marks {
                Marks::Line(points) => {
                    chart.draw_series([PathElement::new(points.clone(), color.stroke_width(2))])?;
                }
                Marks::Dashes(points) => {
                    let dashes = DashedPathElement::new(points.clone(), 5, 4, color.stroke_width(2));
                    chart.draw_series([dashes])?;
                }
                Marks::Dots(points) => {
                    chart.draw_series(
                        points.iter().map(|point| {
                            Circle::new(at(point), if points.len() > 100 { 2 } else { 4 }, color.filled())
                        }),
                    )?;
                }
                Marks::Whiskers(each) => {
                    let line = |&(left, low, high): &(f64, f64, f64)| {
                        PathElement::new(vec![at(&(left, low)), at(&(left, high))], color.stroke_width(2))
                    };
                    chart.draw_series(each.iter().map(line))?;
                }
                Marks::Area(each) => {
                    let upper = each.iter().map(|&(left, _, high)| at(&(left, high)));
                    let lower = each.iter().rev().map(|&(left, low, _)| at(&(left, low)));
                    let outline: Vec<_> = upper.chain(lower).collect();
                    chart.draw_series([Polygon::new(outline, color.mix(0.45))])?;
                }
                Marks::Bars(each) => {
                    let bar = |&[left, right, low, high]: &[f64; 4]| {
                        Rectangle::new([at(&(left, low)), at(&(right, high))], color.mix(0.55).filled())
                    };
                    chart.draw_series(each.iter().map(bar))?;
                }
            }
        }
        Ok(())
    }
}

/// One row of a figure of horizontal bars.
#[derive(Clone, Debug)]
pub struct BarRow {
    /// Name to the left of the bars.
    pub name: String,
    /// Bars from zero, one below the other.
    pub bars: Vec<(Paint, f64)>,
    /// Text to the right of the bars.
    pub text: String,
}

/// Returns a figure of horizontal bars.
pub fn bars(title: &str, look_for: &str, rows: &[BarRow], legend: &[(Paint, &str)]) -> String {
    let lanes = rows.iter().map(|row| row.bars.len()).max().unwrap_or(1).max(1) as i32;
    let step = 11 * lanes + 9;
    let height = (step * rows.len() as i32 + 10).max(30) as u32;
    let most = rows.iter().flat_map(|row| &row.bars).map(|(_, value)| *value).fold(1e-9, f64::max);
    let (left, right) = (150, 330);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let ink = Paint::Ink.stand_in();
        let style = |horizontal| {
            TextStyle::from(("sans-serif", TEXT).into_font()).color(&ink).pos(Pos::new(horizontal, VPos::Center))
        };
        for (at, BarRow { name, bars, text }) in rows.iter().enumerate() {
            let top = 5 + step * at as i32;
            let middle = top + 11 * lanes / 2;
            let write = |text: &str, x, style: &TextStyle| {
                area.draw(&Text::new(text.to_owned(), (x, middle), style.clone()))
                    .expect("drawing to a string does not fail");
            };
            write(&shortened(name), left - 8, &style(HPos::Right));
            let mut end = left;
            for (lane, (paint, value)) in bars.iter().enumerate() {
                let length = (value.max(0.0) / most * f64::from(right)).round() as i32;
                let from = top + 11 * lane as i32;
                let bar = Rectangle::new([(left, from), (left + length.max(1), from + 9)], paint.stand_in().filled());
                area.draw(&bar).expect("drawing to a string does not fail");
                end = end.max(left + length);
            }
            write(text, end + 8, &style(HPos::Left));
        }
        area.present().expect("drawing to a string does not fail");
    }
    let names = legend.iter().map(|(paint, name)| Series::new(*name, *paint, Marks::Bars(Vec::new()))).collect();
    let axis = Axis::linear("", 0.0, 1.0);
    let frame = Chart::new(title, look_for, axis.clone(), axis, names);
    frame.around(svg)
}
