//! `cron(minutes hours day-of-month month day-of-week year)`, as far as Secrets Manager takes it.

use super::{MIN_HOURS, ScheduleError, six_fields};

/// The days on which a `cron()` schedule opens its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// Every day of the months.
    Every,
    /// Days of the month.
    OfMonth {
        /// 1 to 31, in order.
        days: Vec<u8>,
        /// The last day of the month too.
        last: bool,
    },
    /// Days of the week, 1 (Sunday) to 7 (Saturday).
    OfWeek {
        /// Every such day.
        every: Vec<u8>,
        /// The nth such day of the month: day, then 1 to 5.
        nth: Vec<(u8, u8)>,
        /// The last such day of the month.
        last: Vec<u8>,
    },
}

/// A `cron()` expression, understood. Minutes are always 0 and the year is always `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    hours: Vec<u8>,
    days: Days,
    months: Vec<u8>,
}

impl Cron {
    /// The hours, 0 to 23 UTC, at which windows open; at least one, in order.
    pub fn hours(&self) -> &[u8] {
        &self.hours
    }

    /// The days on which windows open.
    pub fn days(&self) -> &Days {
        &self.days
    }

    /// The months, 1 to 12; at least one, in order.
    pub fn months(&self) -> &[u8] {
        &self.months
    }

    /// Whether two windows can open on two days that follow each other.
    fn has_consecutive_days(&self) -> bool {
        match &self.days {
            Days::Every => true,
            Days::OfMonth { days, last } => {
                let neighbours = days.windows(2).any(|pair| pair[1] == pair[0] + 1);
                // The last day, and the first of the next month; or the last day beside a listed one.
                neighbours
                    || (days.contains(&1) && (*last || days.iter().any(|day| *day >= 28)))
                    || (*last && days.iter().any(|day| *day >= 27))
            }
            // Two different weekdays can always meet at the turn of a month: this errs on the careful side only there.
            Days::OfWeek { every, nth, last } => {
                let mut all: Vec<u8> =
                    every.iter().chain(nth.iter().map(|(day, _)| day)).chain(last).copied().collect();
                all.sort_unstable();
                all.dedup();
                all.windows(2).any(|pair| pair[1] == pair[0] + 1) || (all.contains(&1) && all.contains(&7))
            }
        }
    }

    fn never_fires(&self) -> bool {
        match &self.days {
            Days::OfMonth { days, last: false } => {
                let longest = self.months.iter().map(|month| longest_month(*month)).max().unwrap_or(31);
                days.iter().all(|day| *day > longest)
            }
            _ => false,
        }
    }
}

fn longest_month(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// One field of the expression, with its place.
#[derive(Clone, Copy)]
struct Field<'a> {
    text: &'a str,
    at: usize,
    rules: &'static Rules,
}

/// What a field may hold.
struct Rules {
    name: &'static str,
    first: u8,
    last: u8,
    /// Three-letter names; the first stands for `first`.
    names: &'static [&'static str],
}

const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const HOUR: Rules = Rules { name: "the hour", first: 0, last: 23, names: &[] };
const DAY_OF_MONTH: Rules = Rules { name: "the day of the month", first: 1, last: 31, names: &[] };
const MONTH: Rules = Rules { name: "the month", first: 1, last: 12, names: MONTHS };
const DAY_OF_WEEK: Rules = Rules { name: "the day of the week", first: 1, last: 7, names: WEEKDAYS };

/// Understands what stands between `cron(` and `)`; `offset` is where that starts.
pub(super) fn parse(inner: &str, offset: usize) -> Result<Cron, ScheduleError> {
    let fields = split(inner, offset);
    let [minutes, hours, day_of_month, months, day_of_week, year] = fields[..] else {
        let reason = format!(
            "AWS's cron has six fields (minutes, hours, day of month, month, day of week, year), not {}",
            fields.len()
        );
        let error = ScheduleError::new(offset, inner.len(), reason);
        let meant = if fields.len() == 5 { six_fields(inner) } else { None };
        return Err(error.hint(meant.unwrap_or_else(|| "write them as in `cron(0 8 1 * ? *)`".to_owned())));
    };
    if minutes.0 != "0" {
        return Err(ScheduleError::new(
            minutes.1,
            minutes.0.len(),
            "the minutes are always 0: windows open at the full hour",
        )
        .hint("write `0`"));
    }
    if year.0 != "*" {
        return Err(ScheduleError::new(year.1, year.0.len(), "the year is always `*`").hint("write `*`"));
    }
    let field = |(text, at), rules| Field { text, at, rules };
    let (hours_at, hours_length) = (hours.1, hours.0.len());
    let hours = hours_of(field(hours, &HOUR))?;
    let days = days_of(field(day_of_month, &DAY_OF_MONTH), field(day_of_week, &DAY_OF_WEEK))?;
    let months = plain_values(field(months, &MONTH))?;
    let cron = Cron { hours, days, months };
    if too_often(&cron) {
        return Err(ScheduleError::new(hours_at, hours_length, "a secret rotates at most every 4 hours")
            .hint("write hours that lie at least 4 apart, such as `0/4`"));
    }
    if cron.never_fires() {
        return Err(ScheduleError::new(
            day_of_month.1,
            day_of_month.0.len(),
            "no month of the schedule has such a day: it never opens a window",
        ));
    }
    Ok(cron)
}

fn split(inner: &str, offset: usize) -> Vec<(&str, usize)> {
    let mut at = offset;
    let mut fields = Vec::new();
    for part in inner.split(' ') {
        if !part.is_empty() {
            fields.push((part, at));
        }
        at += part.len() + 1;
    }
    fields
}

fn too_often(cron: &Cron) -> bool {
    let apart = u8::try_from(MIN_HOURS).unwrap_or(4);
    let within = cron.hours.windows(2).any(|pair| pair[1] - pair[0] < apart);
    let over_midnight = match (cron.hours.first(), cron.hours.last()) {
        (Some(first), Some(last)) => first + 24 - last < apart && cron.has_consecutive_days(),
        _ => false,
    };
    within || over_midnight
}

fn hours_of(field: Field<'_>) -> Result<Vec<u8>, ScheduleError> {
    plain_values(field)
}

fn days_of(of_month: Field<'_>, of_week: Field<'_>) -> Result<Days, ScheduleError> {
    match (of_month.text, of_week.text) {
        ("?", "?") => Err(ScheduleError::new(of_week.at, 1, "only one of day of month and day of week is `?`")
            .hint("write `*` for one of them to mean every day")),
        (_, "?") => month_days(of_month),
        ("?", _) => week_days(of_week),
        (month, _) => {
            let (field, other) = if month == "*" { (of_month, "day of week") } else { (of_week, "day of month") };
            Err(ScheduleError::new(field.at, field.text.len(), "one of day of month and day of week must be `?`")
                .hint(format!("write `?` here: the {other} decides")))
        }
    }
}

fn month_days(field: Field<'_>) -> Result<Days, ScheduleError> {
    let mut last = false;
    let mut last_weekdays = Vec::new();
    let mut days = Vec::new();
    for part in field.parts() {
        if part.text == "*" {
            return Ok(if field.text == "*" { Days::Every } else { return Err(part.error("`*` stands alone")) });
        } else if part.text == "L" {
            last = true;
        } else if part.text.to_ascii_uppercase().starts_with("L-") {
            return Err(part
                .error("days before the last one of a month can't be counted")
                .hint("write `L` for the last day, or a day such as `28`"));
        } else if let Some(weekday) = part.text.strip_suffix('L').filter(|day| day.len() == 3) {
            let weekday = Field { text: weekday, rules: &DAY_OF_WEEK, ..part };
            last_weekdays.push(weekday.value()?);
        } else {
            days.extend(part.range()?);
        }
    }
    normalise(&mut days);
    if last_weekdays.is_empty() {
        return Ok(if days.len() == 31 { Days::Every } else { Days::OfMonth { days, last } });
    }
    if last || !days.is_empty() {
        return Err(field.error("the last weekday of a month can't stand beside other days"));
    }
    normalise(&mut last_weekdays);
    Ok(Days::OfWeek { every: Vec::new(), nth: Vec::new(), last: last_weekdays })
}

fn week_days(field: Field<'_>) -> Result<Days, ScheduleError> {
    let (mut every, mut nth, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for part in field.parts() {
        if part.text == "*" {
            return Ok(if field.text == "*" { Days::Every } else { return Err(part.error("`*` stands alone")) });
        } else if part.text == "L" {
            every.push(7);
        } else if let Some((day, number)) = part.text.split_once('#') {
            let day = Field { text: day, ..part }.value()?;
            match number.parse::<u8>() {
                Ok(number @ 1..=5)
                    if number.to_string().len() == part.text.len() - part.text.find('#').unwrap_or(0) - 1 =>
                {
                    nth.push((day, number));
                }
                _ => {
                    return Err(part
                        .error("after `#` stands which one of the month: 1 to 5")
                        .hint("write `SUN#1` for the first Sunday"));
                }
            }
        } else if let Some(day) = part.text.strip_suffix('L') {
            last.push(Field { text: day, ..part }.value()?);
        } else {
            every.extend(part.range()?);
        }
    }
    normalise(&mut every);
    normalise(&mut last);
    nth.sort_unstable();
    nth.dedup();
    Ok(if every.len() == 7 { Days::Every } else { Days::OfWeek { every, nth, last } })
}

fn plain_values(field: Field<'_>) -> Result<Vec<u8>, ScheduleError> {
    let mut values = Vec::new();
    for part in field.parts() {
        values.extend(part.range()?);
    }
    normalise(&mut values);
    Ok(values)
}

fn normalise(values: &mut Vec<u8>) {
    values.sort_unstable();
    values.dedup();
}

impl<'a> Field<'a> {
    fn parts(self) -> impl Iterator<Item = Field<'a>> {
        let mut at = self.at;
        self.text.split(',').map(move |text| {
            let part = Field { text, at, rules: self.rules };
            at += text.len() + 1;
            part
        })
    }

    fn error(self, reason: impl Into<String>) -> ScheduleError {
        ScheduleError::new(self.at, self.text.len(), reason)
    }

    /// `*`, `a`, `a-b`, and each of them with `/n`; `/n` alone means `*/n`.
    fn range(self) -> Result<Vec<u8>, ScheduleError> {
        let Rules { first, last, .. } = *self.rules;
        let (range, step) = match self.text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(range.len(), step)?)),
            None => (self.text, None),
        };
        let (from, to) = if range == "*" || (range.is_empty() && step.is_some()) {
            (first, last)
        } else if let Some((from, to)) = range.split_once('-') {
            let low = Field { text: from, ..self }.value()?;
            let high = Field { text: to, at: self.at + from.len() + 1, ..self }.value()?;
            if low > high {
                return Err(self
                    .error(format!("the range `{range}` runs backwards"))
                    .hint(format!("write the two parts of it, such as `{from}-{last},{first}-{to}`")));
            }
            (low, high)
        } else {
            let value = Field { text: range, ..self }.value()?;
            (value, if step.is_some() { last } else { value })
        };
        Ok((from..=to).step_by(usize::from(step.unwrap_or(1))).collect())
    }

    fn step(self, before: usize, step: &str) -> Result<u8, ScheduleError> {
        let digits = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
        match step.parse::<u8>() {
            Ok(value) if digits && value > 0 && value <= self.rules.last => Ok(value),
            _ => Err(ScheduleError::new(
                self.at + before + 1,
                step.len(),
                format!("a step after `/` is 1 to {}", self.rules.last),
            )),
        }
    }

    fn value(self) -> Result<u8, ScheduleError> {
        let Rules { name, first, last, names } = *self.rules;
        if let Some(index) = names.iter().position(|word| *word == self.text) {
            return u8::try_from(index).map(|index| index + first).map_err(|_| self.error("too many names"));
        }
        if !self.text.is_empty() && self.text.bytes().all(|b| b.is_ascii_digit()) {
            if self.text.len() > 2 && self.text.starts_with('0') {
                // Who reads octal numbers would read another one.
                let plain = Some(self.text.trim_start_matches('0')).filter(|plain| !plain.is_empty()).unwrap_or("0");
                return Err(self.error("the number begins with a 0").hint(format!("write `{plain}`")));
            }
            if let Some(value) = self.text.parse::<u8>().ok().filter(|value| (first..=last).contains(value)) {
                return Ok(value);
            }
            let error = self.error(format!("{name} is {first} to {last}, not `{}`", self.text));
            return Err(match (names.first(), self.text) {
                // Where other schedulers begin to count.
                (Some(name), "0") => error.hint(format!("write `{name}`: AWS counts from 1, which is {name}")),
                _ => error,
            });
        }
        let error = self.error(match self.text {
            "" => format!("{name} is missing a value"),
            text => format!("{name} can't be `{text}`"),
        });
        let upper = self.text.to_ascii_uppercase();
        let is_last = |text: &str| text == "L" || text.strip_suffix('L').is_some_and(|day| WEEKDAYS.contains(&day));
        if upper != self.text && (is_last(&upper) || names.contains(&upper.as_str())) {
            return Err(error.hint(format!("write `{upper}`, in upper case")));
        }
        let abbreviation = names.iter().find(|name| upper.starts_with(**name));
        Err(if upper.contains('W') && names.is_empty() {
            error.hint(
                "Secrets Manager's schedules have no `W` (nearest weekday): name a day, or a weekday such as `MON#1`",
            )
        } else if let Some(abbreviation) = abbreviation {
            error.hint(format!("write `{abbreviation}`"))
        } else if self.text == "?" {
            error.hint("`?` stands only for day of month or day of week")
        } else if self.text == "*" {
            error.hint("`*` stands alone, or before `/`")
        } else if names.is_empty() {
            error
        } else {
            error.hint(format!("write {first} to {last}, or {} to {}", names[0], names[names.len() - 1]))
        })
    }
}
