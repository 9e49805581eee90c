"""Rejections over time as SVG: stacked bars for all codes, and a row of bars for each of them.

Bars stand at percents of the width and at pixels of the height, so that a phone has narrower bars and not smaller letters. Codes
are told apart by their order, which is that of the table, by a letter where it fits, and by their own rows; colour only helps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenward.troubleshoot.logs.markup import Markup, element, joined
from tokenward.troubleshoot.logs.moment import date_text, day_text, offset_text, span_text, time_text
from tokenward.troubleshoot.logs.series import Bar, totals

SHADES = 6
"""Colours in the style sheet; what is beyond them is one more, "all others"."""
OTHERS = "all others"
LETTERS = "ABCDEF+"
TOP, HEIGHT, BELOW = 12, 240, 40
"""Pixels above the bars, of the highest bar, and below for the time."""
ROW = 30
"""Pixels of a row of bars."""
READABLE = 15
"""Pixels of a bar that has room for its letter."""
MOST_LETTERED = 60
"""Bars that are wide enough for letters on a wide page."""
MOST_TICKS = 8
"""Half of them are hidden on a phone."""
TICKS = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2419200)


@dataclass(frozen=True, slots=True)
class Course:
    """What is drawn: bars of `step` seconds, and the names of the codes from the largest to the smallest."""

    step: int
    offset: float
    bars: Sequence[Bar]
    names: Sequence[str]

    @property
    def begin(self) -> float:
        """When the first bar begins, in seconds since the epoch."""
        return self.bars[0].at

    @property
    def span(self) -> float:
        """Seconds from the first bar's beginning to the last one's end."""
        return float(self.step * len(self.bars))

    def counts(self, bar: Bar) -> list[int]:
        """The bar's counts, in the order of the names."""
        named = [bar.counts.get(name, 0) for name in self.names]
        return [*named[:-1], sum(bar.counts.values()) - sum(named[:-1])] if self.names[-1] == OTHERS else named

    def peak(self) -> Bar:
        """The first bar with the most."""
        return max(self.bars, key=lambda bar: sum(bar.counts.values()))


def course_of(step: int, bars: Sequence[Bar], offset: float) -> Course:
    """The course, with the smallest codes together where there are more than colours."""
    names = list(totals(bars))
    return Course(step, offset, bars, names if len(names) <= SHADES else [*names[:SHADES], OTHERS])


def chart(course: Course) -> Markup:
    """The stacked bars with their scale; a text says the same to those who do not see it."""
    most = nice(sum(course.peak().counts.values()))
    plot = element(
        "svg",
        element("title", "Rejections over time, by code", id="chart-title"),
        element("desc", told(course), id="chart-text"),
        *(_line(_y(value, most)) for value in _scale(most)),
        *(part for number, bar in enumerate(course.bars) for part in _stack(course, number, bar, most)),
        *_time(course),
        class_="plot",
        width="100%",
        height=str(TOP + HEIGHT + BELOW),
        role="img",
        aria_labelledby="chart-title chart-text",
    )
    return element("div", _labels(most), plot, class_="chart")


def row(course: Course, name: str) -> Markup:
    """One code's bars, on a scale of its own."""
    index = list(course.names).index(name)
    counts = [course.counts(bar)[index] for bar in course.bars]
    most = max([*counts, 1])
    bars = [
        _bar(course, number, ROW - ROW * count / most, ROW * count / most, shade(index))
        for number, count in enumerate(counts)
        if count
    ]
    return element("svg", *bars, class_="row", width="100%", height=str(ROW), aria_hidden="true")


def shade(index: int) -> str:
    """The class of a code's colour."""
    return f"s{min(index, SHADES)}"


def told(course: Course) -> str:
    """The chart in words."""
    peak, total = course.peak(), sum(totals(course.bars).values())
    parts = [f"{count:,} {name}" for name, count in list(totals(course.bars).items())[:SHADES]]
    begin, end, most = (at_text(at, course.offset) for at in (course.begin, course.begin + course.span, peak.at))
    return (
        f"{total:,} rejections from {begin} to {end}, in steps of {span_text(course.step)}. "
        f"The most, {sum(peak.counts.values()):,}, are in the step from {most}. By code: {', '.join(parts)}."
    )


def peak_text(course: Course) -> str:
    """When there was the most, and of which code there was more than on the average; an incident may be over long since."""
    peak = course.peak()
    means = {name: count / len(course.bars) for name, count in totals(course.bars).items()}
    code = max(sorted(peak.counts), key=lambda name: peak.counts[name] - means[name])
    at, most = at_text(peak.at, course.offset), sum(peak.counts.values())
    return f"The peak: {most:,} from {at}, within {span_text(course.step)}, above all {code} ({peak.counts[code]:,})."


def at_text(at: float, offset: float) -> str:
    """A time in full: date, time and offset."""
    return f"{date_text(at, offset)} {time_text(at, offset)} {offset_text(offset)}"


def nice(most: int) -> int:
    """The least of 1, 2, 4, 5 and 8 times a power of ten that is not less, so that half of it is a round number, too."""
    power = 1
    while True:
        for factor in (1, 2, 4, 5, 8):
            if factor * power >= most:
                return factor * power
        power *= 10


# -- bars --------------------------------------------------------------------------------------------------------------


def _stack(course: Course, number: int, bar: Bar, most: int) -> Iterator[Markup]:
    below, at = 0, at_text(bar.at, course.offset)
    for index, (name, count) in enumerate(zip(course.names, course.counts(bar), strict=True)):
        if not count:
            continue
        top, height = _y(below + count, most), HEIGHT * count / most
        tip = element("title", f"{at}, {span_text(course.step)}: {count:,} {name}")
        yield _bar(course, number, top, height, shade(index), tip)
        if height >= READABLE and len(course.bars) <= MOST_LETTERED:
            middle = f"{_percent(course, number + 0.5)}"
            yield element("text", LETTERS[index], x=middle, y=f"{top + height / 2 + 4:.1f}", class_=f"letter {shade(index)}")
        below += count


def _bar(course: Course, number: int, top: float, height: float, style: str, *inside: Markup) -> Markup:
    wide = f"{88 / len(course.bars):.3f}%"
    return element(
        "rect", *inside, x=_percent(course, number + 0.06), y=f"{top:.1f}", width=wide, height=f"{height:.1f}", class_=style
    )


def _percent(course: Course, number: float) -> str:
    return f"{100 * number / len(course.bars):.3f}%"


# -- scales ------------------------------------------------------------------------------------------------------------


def _y(value: float, most: int) -> float:
    return TOP + HEIGHT * (1 - value / most)


def _scale(most: int) -> list[int]:
    """Nothing, half of it and all of it; of one there is no half."""
    return [0, most // 2, most] if most > 1 else [0, 1]


def _labels(most: int) -> Markup:
    texts = [element("text", f"{value:,}", x="100%", y=f"{_y(value, most) + 4:.1f}", class_="count") for value in _scale(most)]
    width = 12 + 8 * len(f"{most:,}")
    return element("svg", *texts, class_="scale", width=str(width), height=str(TOP + HEIGHT + BELOW), aria_hidden="true")


def _line(y: float) -> Markup:
    return element("line", x1="0", x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")


def _time(course: Course) -> Iterator[Markup]:
    """Times at round numbers of local time, and the date below the first one of each day."""
    day = ""
    for number, at in enumerate(_ticks(course)):
        x = f"{100 * (at - course.begin) / course.span:.3f}%"
        dated = day_text(at, course.offset)
        hidden = " minor" if number % 2 else ""
        yield element("line", x1=x, x2=x, y1=str(TOP + HEIGHT), y2=str(TOP + HEIGHT + 6), class_=f"tick{hidden}")
        clock = time_text(at, course.offset) if course.step < 60 else time_text(at, course.offset)[:5]
        first, second = (dated, "") if course.step >= 86400 else (clock, "" if dated == day else dated)
        yield element("text", first, x=x, y=str(TOP + HEIGHT + 20), class_=f"time{hidden}")
        if second:
            yield element("text", second, x=x, y=str(TOP + HEIGHT + 35), class_="time")
        day = dated


def _ticks(course: Course) -> list[float]:
    """Where there is room for a label on both sides."""
    tick = next((tick for tick in TICKS if tick >= course.step and course.span / tick <= MOST_TICKS), course.span)
    first = -(-(course.begin + course.offset) // tick) * tick - course.offset
    ticks = [first + tick * number for number in range(MOST_TICKS + 1)]
    inside = [at for at in ticks if 0.04 <= (at - course.begin) / course.span <= 0.96]
    return inside or [course.begin + course.span / 2]


def legend_letter(index: int) -> Markup:
    """A code's letter on its colour, for the table."""
    return joined(element("span", LETTERS[min(index, SHADES)], class_=f"key {shade(index)}"))
