"""Candidates that were tried, and what their trials say beside the full detector's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.bootstrap import agreement_interval, answers, ap50_change
from compress.camera_process import CameraRun
from compress.forms import FULL
from compress.measure import percentile_ms
from compress.order import Order
from compress.parts import model_bytes
from compress.trial import Trial
from edge_agent.wire.detection import Detection
from edge_agent.wire.receipt import Measurement, Removal

Seen = Sequence[Sequence[Detection]]


@dataclass(frozen=True)
class Tried:
    """One network, the detector's own (`name` is empty) or a smaller one, in the forms that were tried."""

    name: str
    order: Order
    trials: tuple[Trial, ...]
    removed: tuple[Removal, ...] = ()

    def trial(self, form: str) -> Trial:
        """Return one form's trial."""
        return next(trial for trial in self.trials if trial.form.name == form)

    def with_trials(self, trials: Sequence[Trial]) -> Tried:
        """Return it with other trials."""
        return replace(self, trials=tuple(trials))


def thresholds_of(tried: Tried, trial: Trial, full: Trial) -> dict[str, float]:
    """Return the thresholds at which a form agrees best with the full detector, on calibration pictures."""
    if trial.form == FULL or trial.ended:
        return tried.order.thresholds
    return tuned_thresholds(full.run.calibration, trial.run.calibration, tried.order.detector.labels)


def measurement(tried: Tried, trial: Trial, full: Trial, thresholds: Mapping[str, float]) -> Measurement:
    """Return what a trial measured, beside the full detector's on the same pictures."""
    if trial.ended:
        return ended_measurement(tried, trial)
    return _of_network(tried, trial).model_copy(
        update=_accuracy(tried, trial, full)
        | _agreement(tried, trial, full, thresholds)
        | {
            "max_abs_error": trial.max_abs_error,
            **_times(trial),
            "embedding": trial.embedding,
            "float_layers": trial.float_layers,
        }
    )


def ended_measurement(tried: Tried, trial: Trial) -> Measurement:
    """Return what is known of a trial that was ended at the memory limit: what it would need."""
    return _of_network(tried, trial).model_copy(update={"ended": trial.ended})


def _times(trial: Trial) -> dict[str, object]:
    if not trial.inference_ms:
        return {}
    return {
        "ms_p50": percentile_ms(trial.inference_ms, 50),
        "ms_p99": percentile_ms(trial.inference_ms, 99),
    }


def _of_network(tried: Tried, trial: Trial) -> Measurement:
    order, memory = tried.order, trial.memory
    return Measurement(
        candidate=tried.name,
        form=trial.form.name,
        runtime=trial.form.runtime,
        precision=trial.form.precision,
        bytes=model_bytes(trial.model),
        parameters=order.captured.parameters,
        macs=order.captured.macs,
        input_px=order.detector.input_size_px,
        peak_memory_bytes=trial.run.peak_memory_bytes,
        memory_limit_bytes=memory.limit_bytes if memory else None,
        memory_limited_by=memory.limited_by if memory else None,
    )


def _accuracy(tried: Tried, trial: Trial, full: Trial) -> dict[str, object]:
    truth, labels = tried.order.pictures.truth, tried.order.detector.labels
    precision = average_precision(truth, trial.run.held_out, labels)
    change = None
    if trial.form != FULL and precision is not None:
        before, after = (answers(truth, one.run.held_out, labels) for one in (full, trial))
        change = ap50_change(before, after)
    return {
        "ap50": None if precision is None else round(precision[0], 4),
        "ap": None if precision is None else round(precision[1], 4),
        "images": len(truth),
        "ap50_change_95": change,
    }


def _agreement(tried: Tried, trial: Trial, full: Trial, thresholds: Mapping[str, float]) -> dict[str, object]:
    before = above(_compared(full.run), tried.order.thresholds)
    after = above(_compared(trial.run), thresholds)
    return {
        "agreement_f1": round(agreement_f1(before, after), 4),
        "agreement_95": None if trial.form == FULL else agreement_interval(before, after),
        "agreement_images": len(before),
    }


def _compared(run: CameraRun) -> Seen:
    """Return the answers to pictures by which no threshold was tuned; without any, those that were."""
    return (*run.held_out, *run.unlabelled) or run.calibration
