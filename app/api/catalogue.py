"""The routes that tell what the service knows: rules, limits, the report's schema."""

from __future__ import annotations

import inspect
from typing import Any, Final

from fastapi import APIRouter

from analyzers import bounds
from analyzers.options import Options
from analyzers.registry import RULES
from analyzers.report import Report
from analyzers.rule import Rule
from analyzers.spec.flatten import MAX_CALLS
from app.api import models, problems
from app.api.dependencies import SettingsOf
from app.errors import Problem

router = APIRouter(prefix="/v1", tags=["catalogue"])

_BUDGET: Final = Options.model_json_schema()["properties"]["budget_s"]


@router.get("/rules")
def list_rules() -> models.RuleList:
    """Every rule, with its documentation."""
    return models.RuleList(rules=[_rule(rule) for rule in RULES.values()])


@router.get("/rules/{rule_id}", responses=problems.responses("rule-not-found"))
def get_rule(rule_id: str) -> models.RuleModel:
    """One rule, with its documentation."""
    if rule_id not in RULES:
        raise Problem("rule-not-found")
    return _rule(RULES[rule_id])


def _rule(rule: Rule) -> models.RuleModel:
    return models.RuleModel(
        id=rule.id,
        group=rule.group,
        title=rule.title,
        requires=sorted(rule.requires),
        interventions=list(rule.interventions),
        references=list(rule.references),
        documentation=inspect.getdoc(type(rule)) or "",
    )


@router.get("/limits")
def get_limits(settings: SettingsOf) -> models.LimitsModel:
    """What this service takes."""
    return models.LimitsModel(
        upload_bytes=settings.upload_bytes,
        budget_s_default=_BUDGET["default"],
        budget_s_max=_BUDGET["maximum"],
        wait_s_max=settings.wait_s,
        queue_size=settings.queue_size,
        retention_days=settings.retention_days,
        memory_bytes=settings.memory_bytes,
        reading_s=settings.reading_wall_s,
        reading=models.ReadingLimits(
            unpacked_bytes=bounds.unpacked_bytes(settings.upload_bytes),
            zip_members=bounds.MAX_MEMBERS,
            zip_assets=bounds.MAX_ASSETS,
            zip_ratio=bounds.MAX_RATIO,
            hdf5_objects=bounds.MAX_OBJECTS,
            hdf5_depth=bounds.MAX_DEPTH,
            hdf5_ratio=bounds.MAX_CHUNK_RATIO,
            text_bytes=bounds.MAX_TEXT,
            json_depth=bounds.MAX_NESTING,
            layers=bounds.MAX_LAYERS,
            layer_calls=MAX_CALLS,
            cpu_s=settings.reading_cpu_s,
        ),
        upload_s=settings.upload_s,
        upload_rate=settings.upload_rate,
        request_rate=settings.request_rate,
        key_jobs=settings.key_jobs,
    )


@router.get("/schemas/report")
def get_report_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return Report.model_json_schema()
