//! Line charts, readable on light and dark backgrounds.

use std::path::Path;

use plotters::prelude::*;

use crate::system::Failure;

/// One line of a chart.
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A chart. Both axes are logarithmic.
pub struct Chart<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    /// The label of a position on the x axis.
    pub tick: fn(f64) -> String,
    pub series: Vec<Series>,
}

// No background, and colours of medium lightness.
const INK: RGBColor = RGBColor(128, 128, 128);
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 127, 201),
    RGBColor(214, 96, 40),
    RGBColor(60, 155, 75),
    RGBColor(160, 100, 200),
    RGBColor(190, 140, 30),
    RGBColor(210, 80, 130),
    RGBColor(40, 155, 160),
    RGBColor(120, 120, 120),
];

impl Chart<'_> {
    /// Draws the chart into a file; false if there is nothing to draw.
    pub fn draw(&self, path: &Path) -> Result<bool, Failure> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.copied().unzip();
        let (Some(x), Some(y)) = (range(&xs), range(&ys)) else {
            return Ok(false);
        };
        let area = SVGBackend::new(path, (760, 420)).into_drawing_area();
        let text = |size: u32| ("sans-serif", size).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .caption(self.title, text(18))
            .x_label_area_size(44)
            .y_label_area_size(78)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0 / 1.5..y.1 * 1.5).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| (self.tick)(*x))
            .y_label_formatter(&|y| short(*y))
            .axis_style(INK)
            .bold_line_style(INK.mix(0.35))
            .light_line_style(INK.mix(0.1))
            .label_style(text(13))
            .axis_desc_style(text(14))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2))
                .point_size(3);
            let colour = *colour;
            chart
                .draw_series(line)?
                .label(&series.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(text(13))
            .draw()?;
        drop(chart);
        area.present()?;
        Ok(true)
    }
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    (least > 0.0 && most > least).then_some((least, most))
}

/// Such as `10k` or `0.5`.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 999_999.0 => format!("{}M", rounded(n / 1e6)),
        n if n >= 999.0 => format!("{}k", rounded(n / 1e3)),
        n => rounded(n),
    }
}

fn rounded(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_an_svg_without_a_background() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chart.svg");
        let points = vec![(1.0, 10.0), (64.0, 1_000.0)];
        let series = vec![Series {
            name: "ours".into(),
            points,
        }];
        let chart = Chart {
            title: "t",
            x: "callers",
            y: "ops/s",
            tick: short,
            series,
        };
        assert!(chart.draw(&path).unwrap());
        let svg = std::fs::read_to_string(path).unwrap();
        assert!(
            svg.starts_with("<svg") && svg.contains("ours") && !svg.contains("#FFFFFF"),
            "{svg}"
        );
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        assert_eq!(
            [1e6, 2.5e3, 64.0, 0.5].map(short),
            ["1M", "2.5k", "64", "0.5"]
        );
    }
}
