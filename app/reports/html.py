"""The report as one HTML file that needs nothing else: style and pictures are inside, no script, no request.

The report page of the service shows the very same markup: it takes the ``<article>`` out of this file and
adds what needs a script (a curve to point at, copy buttons).  So the markup carries no inline style and no
handler, and works under a strict content security policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analyzers.report import Report, level
from app.reports import charts, clean, evidence, pictures, words

STYLESHEET: Final = Path(__file__).parent / "static" / "report.css"
"""The report's style sheet, inlined here and served to the page."""


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("app.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": clean.name,
        "prose": clean.prose,
        "linked": linked,
        "code": clean.code,
        "number": words.number,
        "exact": words.exact,
        "percent": words.percent,
        "seconds": words.seconds,
        "size": words.size,
        "shape": words.shape,
        "plural": words.plural,
    }
    environment.globals |= {"words": words, "evidence": evidence}
    return environment


def linked(text: str) -> Markup:
    """A reference in which https addresses are links."""
    shown = clean.prose(text)
    parts = words.ADDRESS.split(shown)
    return Markup("").join(
        Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(part) if index % 2 else part
        for index, part in enumerate(parts)
    )


_ENVIRONMENT: Final = _environment()


def render(report: Report) -> str:
    """The standalone file."""
    loss = pictures.loss_picture(report)
    gradients = pictures.gradient_picture(report)
    return _ENVIRONMENT.get_template("report.html").render(
        report=report,
        level=level(report),
        verdict=words.VERDICTS[report.verdict],
        stylesheet=Markup(STYLESHEET.read_text(encoding="utf-8")),  # noqa: S704 - our own file
        loss=loss,
        loss_chart=charts.loss_chart(loss) if loss else None,
        loss_data=charts.loss_data(loss) if loss else None,
        gradients=gradients,
        trainability=pictures.trainability_picture(report),
        score=words.score(report),
    )
