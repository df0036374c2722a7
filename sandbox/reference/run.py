"""Runs the reference engine (airbyte-cdk) for the differential tests: a JSON job a line on standard input, its answer a line on output.

Every job runs in a process of its own, forked from this one after the slow imports, so that no cache or state passes from one job
to the next. No wait is really waited: what was asked for is noted in the answer. Ends when standard input closes.
"""

import datetime
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback

import backoff._sync
from airbyte_cdk.models import (
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStream,
    AirbyteStreamState,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    StreamDescriptor,
    SyncMode,
)
from airbyte_cdk.models import Type as MessageType
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource
from airbyte_cdk.sources.declarative.datetime.datetime_parser import DatetimeParser
from airbyte_cdk.sources.declarative.interpolation import macros
from airbyte_cdk.sources.declarative.interpolation.interpolated_boolean import InterpolatedBoolean
from airbyte_cdk.sources.declarative.interpolation.interpolated_mapping import InterpolatedMapping
from airbyte_cdk.sources.declarative.interpolation.interpolated_nested_mapping import InterpolatedNestedMapping
from airbyte_cdk.sources.declarative.interpolation.interpolated_string import InterpolatedString
from airbyte_cdk.sources.declarative.retrievers import page_size_reducer
from airbyte_cdk.sources.streams import call_rate
from airbyte_cdk.sources.streams.http import rate_limiting
from airbyte_cdk.utils.yaml_loader import safe_load_yaml

SECONDS_FOR_A_JOB = 60
waits = []


class QuickTime:
    """The module `time`, without the waiting."""

    def __getattr__(self, name):
        return getattr(time, name)

    @staticmethod
    def sleep(seconds):
        # The library waits for nothing at all where another handler has waited.
        if seconds:
            waits.append(seconds)


def without_waits():
    for module in (backoff._sync, rate_limiting, call_rate, page_size_reducer):
        module.time = QuickTime()


def stop_the_clock(now):
    """Lets the macros take this for the present time; everything else of `datetime` stays as it is."""
    real = datetime.datetime

    class Kind(type(real)):
        def __instancecheck__(cls, value):
            return isinstance(value, real)

    class Stopped(real, metaclass=Kind):
        @classmethod
        def now(cls, tz=None):
            return now.astimezone(tz) if tz else now.replace(tzinfo=None)

    class Module:
        datetime = Stopped

        def __getattr__(self, name):
            return getattr(datetime, name)

    macros.datetime = Module()


def read(job):
    """Reads the streams of the manifest in a case file."""
    without_waits()
    manifest = safe_load_yaml(job["case"])["manifest"]
    config = job["config"]
    state = [
        AirbyteStateMessage(
            type=AirbyteStateType.STREAM,
            stream=AirbyteStreamState(
                stream_descriptor=StreamDescriptor(name=name), stream_state=AirbyteStateBlob(value)
            ),
        )
        for name, value in (job.get("state") or {}).items()
    ]
    try:
        source = ConcurrentDeclarativeSource(catalog=None, config=config, state=None, source_config=manifest)
        names = {stream.name: stream.as_airbyte_stream() for stream in source.streams(config)}
        wanted = job.get("streams") or list(names)
        catalog = ConfiguredAirbyteCatalog(streams=[configured(names[name]) for name in wanted])
        # A new one, because what the first has made is bound to no state.
        source = ConcurrentDeclarativeSource(catalog=catalog, config=config, state=state, source_config=manifest)
    except Exception as error:
        return {"refused": last_line(error)}
    answer = {"streams": {name: {"records": [], "state": None, "error": None} for name in wanted}}
    streams = answer["streams"]
    try:
        for message in source.read(logging.getLogger("airbyte"), config, catalog, state):
            take(message, streams)
    except Exception as error:
        # Streams that have failed are named by now; this is the summary, or a failure of the whole.
        for stream in streams.values():
            if stream["error"] is None and not stream.pop("complete", False):
                stream["error"] = last_line(error)
    for stream in streams.values():
        stream.pop("complete", None)
    answer["waits"] = sorted(waits)
    return answer


def configured(stream: AirbyteStream):
    incremental = SyncMode.incremental in stream.supported_sync_modes
    return ConfiguredAirbyteStream(
        stream=stream,
        sync_mode=SyncMode.incremental if incremental else SyncMode.full_refresh,
        destination_sync_mode=DestinationSyncMode.append,
    )


def take(message, streams):
    if message.type == MessageType.RECORD:
        streams[message.record.stream]["records"].append(message.record.data)
    elif message.type == MessageType.STATE:
        state = message.state.stream
        streams[state.stream_descriptor.name]["state"] = vars(state.stream_state)
    elif message.type == MessageType.TRACE:
        trace = message.trace
        if trace.error is not None and trace.error.stream_descriptor is not None:
            texts = [trace.error.internal_message, trace.error.message]
            streams[trace.error.stream_descriptor.name]["error"] = next((text for text in texts if text), "failed")
        if trace.stream_status is not None:
            stream = streams[trace.stream_status.stream_descriptor.name]
            if trace.stream_status.status.value == "COMPLETE":
                stream["complete"] = True
            if trace.stream_status.status.value == "INCOMPLETE" and stream["error"] is None:
                stream["error"] = "incomplete"


def render(job):
    """Answers each row of the table of templates: {"value": …}, {"dropped": true} or {"error": …}."""
    stop_the_clock(datetime.datetime.fromisoformat(job["now"]))
    return {"answers": [one(row, job["context"]) for row in job["rows"]]}


def one(row, context):
    template, kind = row["template"], row["kind"]
    names = {**context, **row.get("context", {})}
    config, parameters = names.pop("config"), names.pop("parameters")
    try:
        if kind in ("value", "text"):
            value = InterpolatedString.create(template, parameters=parameters).eval(config, **names)
            return {"value": str(value) if kind == "text" else plain(value)}
        if kind == "condition":
            return {"value": InterpolatedBoolean(condition=template, parameters=parameters).eval(config, **names)}
        if kind == "body":
            mapping = InterpolatedNestedMapping(mapping={"k": template}, parameters=parameters)
            value = mapping.eval(config, **names)
            value = value.get("k")
        else:
            types = {"valid_value_types": (str, list)} if kind == "parameter" else {}
            mapping = InterpolatedMapping({"k": template}, parameters)
            value = mapping.eval(config, **names, **types)["k"]
        # What the requester does with a mapping: entries without a value are left out.
        if value is None:
            return {"dropped": True}
        if kind == "header":
            value = str(value)
        if kind == "parameter":
            # What is sent: a list repeats the key, without its nulls.
            items = value if isinstance(value, list) else [value]
            value = [str(item) for item in items if item is not None]
        return {"value": plain(value)}
    except Exception as error:
        return {"error": last_line(error)}


def dates(job):
    """Answers each row of dates: parsing gives microseconds since 1970 and the offset in seconds, printing gives text."""
    answers = []
    for row in job["rows"]:
        try:
            if "text" in row:
                moment = DatetimeParser().parse(row["text"], row["format"])
                offset = int(moment.utcoffset().total_seconds())
                micros = (moment - DatetimeParser._UNIX_EPOCH) // datetime.timedelta(microseconds=1)
                answers.append({"value": [micros, offset]})
            else:
                moment = datetime.datetime.fromisoformat(row["instant"])
                answers.append({"value": DatetimeParser().format(moment, row["format"])})
        except Exception as error:
            answers.append({"error": last_line(error)})
    return {"answers": answers}


def plain(value):
    """A value as JSON can hold it; what it cannot hold is printed."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else f"key {key!r}": plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")) or value != value:
        return f"float {value}"
    return value if value is None or isinstance(value, (str, int, float, bool)) else f"{type(value).__name__} {value}"


def last_line(error):
    text = getattr(error, "internal_message", None) or str(error)
    return f"{type(error).__name__}: {text}".strip()[:2000]


JOBS = {"read": read, "render": render, "dates": dates}


def run(job, out):
    try:
        answer = JOBS[job["do"]](job)
    except BaseException:
        answer = {"broken": traceback.format_exc()}
    with os.fdopen(out, "w") as file:
        json.dump(answer, file, default=str)


def fork(job):
    """The answer to a job, from a child process."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(inlet)
        # The engine prints messages of its own; they are no answers.
        os.dup2(2, 1)
        signal.alarm(SECONDS_FOR_A_JOB)
        try:
            run(job, outlet)
        finally:
            os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    return text or json.dumps({"broken": f"no answer within {SECONDS_FOR_A_JOB} s (status {status})"})


def main():
    logging.getLogger("airbyte").setLevel(logging.CRITICAL)
    assert threading.active_count() == 1, "a process with threads must not fork"
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)


main()
