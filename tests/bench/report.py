"""The benchmark's table, in Markdown so that it can be kept as it is."""

from bench.runs import Run


def render(runs: list[Run]) -> str:
    """A table with a row a figure and a column a run, then the requests by verb and resource."""
    rows = [["", *(run.title for run in runs)]]
    rows.append(["certificates", *(str(run.certificates or "") for run in runs)])
    rows.append(["certificates per second", *(_each(run, run.certificates / run.seconds, 1) for run in runs)])
    rows.append(["seconds", *(f"{run.seconds:.1f}" for run in runs)])
    rows.append(["p50 / p99 from apply to Ready, s", *(_latency(run) for run in runs)])
    rows.append(["API writes (each)", *(_per(run, run.writes) for run in runs)])
    rows.append(["API reads (each)", *(_per(run, run.reads) for run in runs)])
    rows.append(["ACME requests (each)", *(_per(run, sum(run.acme.values())) for run in runs)])
    rows.append(["operator's CPU, ms (each)", *(_per(run, run.cpu * 1000) for run in runs)])
    rows.append(["resident, MB", *(f"{run.resident / 1e6:.0f}" for run in runs)])
    rows.append(["threads", *(str(run.threads) for run in runs)])
    table = [f"| {' | '.join(row)} |" for row in rows]
    table.insert(1, f"|{'---|' * len(rows[0])}")
    return "\n".join([*table, "", *(_detail(run) for run in runs)])


def render_starts(starts: list[dict[str, float]]) -> str:
    """One line about the HTTP-01 solver, from what `solver_start.measure()` returned."""
    times = sorted(start["milliseconds"] for start in starts)
    resident = max(start["resident"] for start in starts) / 1e6
    return (
        f"* HTTP-01 solver: {times[len(times) // 2]:.0f} ms from process start to first answer "
        f"(slowest of {len(times)}: {times[-1]:.0f}), {resident:.1f} MB resident"
    )


def _each(run: Run, value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if run.certificates else ""


def _per(run: Run, total: float) -> str:
    if run.certificates <= 1:
        return f"{total:.0f}"
    return f"{total:.0f} ({total / run.certificates:.2f})"


def _latency(run: Run) -> str:
    if not run.latencies:
        return ""
    last = len(run.latencies) - 1
    return f"{run.latencies[last // 2]:.2f} / {run.latencies[round(last * 0.99)]:.2f}"


def _detail(run: Run) -> str:
    requests = ", ".join(f"{verb} {resource} {count}" for (verb, resource), count in sorted(run.requests.items()))
    acme = ", ".join(f"{what} {count}" for what, count in sorted(run.acme.items()))
    return f"* {run.title}: {requests or 'no request'}" + (f"; at the CA: {acme}" if acme else "")
