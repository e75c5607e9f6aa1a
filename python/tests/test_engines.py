"""Ray and Spark, on local clusters of two workers each, fit the bytes that one machine fits."""

import collections
import os
import signal
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from surprisal import Model, SurprisalError, fit_fleet

pytest.importorskip("ray")
pytest.importorskip("pyspark")

#: Machines with enough rows, and one with too few.
MACHINES = ["A", "B", "C", "D", "E"]
OPTIONS = {"ignore": "at", "seed": 2}


@pytest.fixture(scope="module")
def rows():
    """Return rows of all machines by turns; some readings of a whole number are missing."""
    random = np.random.default_rng(0)
    count = 400 * len(MACHINES)
    level = random.normal(50, 5, count).round(1)
    step = pa.array(random.integers(0, 9, count), mask=random.random(count) < 0.1)
    columns = {"at": np.arange(count), "machine": MACHINES * 400, "level": level, "flow": (level / 9).round(1), "step": step}
    short = {"at": [count], "machine": ["short"], "level": [50.0], "flow": [5.5], "step": [1]}
    nameless = {"at": [count + 1], "machine": [None], "level": [50.0], "flow": [5.5], "step": [1]}
    table = pa.table(columns)
    return pa.concat_tables([table, *(pa.table(few, schema=table.schema) for few in (short, nameless))])


@pytest.fixture(scope="module")
def expected(rows, tmp_path_factory):
    """Return the bytes of each machine's file as this process fits it."""
    folder = tmp_path_factory.mktemp("models")
    fits = fit_fleet(rows, "machine", folder, **OPTIONS)
    return {fit["machine"]: fit["file"] and (folder / fit["file"]).read_bytes() for fit in fits}


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    """Return a folder of Parquet files, each with rows of all machines."""
    folder = tmp_path_factory.mktemp("fleet")
    for part in range(4):
        size = -(-len(rows) // 4)
        pa.parquet.write_table(rows[part * size : (part + 1) * size], folder / f"part{part}.parquet", row_group_size=200)
    return folder


@pytest.fixture(scope="module")
def ray():
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    cluster.add_node(num_cpus=1, object_store_memory=10**8)
    ray.init(address=cluster.address, log_to_driver=False)
    assert len(ray.nodes()) == 2
    yield ray
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", False)
    session = builder.config("spark.executor.memory", "1g").getOrCreate()
    yield session
    session.stop()


def killer(folder, task):
    """Return a progress function that kills the first process that calls it, and notes task and process of each call."""

    def progress(*_):
        (folder / f"{task()} {os.getpid()}").touch()
        try:
            (folder / "killed").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    return progress


def runs(folder):
    """Return how often each task ran."""
    return sorted(collections.Counter(path.name.split()[0] for path in folder.glob("* *")).values())


def check(fitted, expected):
    """Check rows about machines against the bytes of one machine."""
    fitted = {row["machine"]: row for row in fitted}
    assert sorted(fitted) == [*MACHINES, "short"]
    for machine in MACHINES:
        assert bytes(fitted[machine]["srp"]) == expected[machine], machine
        assert fitted[machine]["error"] is None and fitted[machine]["rows"] == 400
    assert fitted["short"]["srp"] is None and "needed" in fitted["short"]["error"]


def test_ray_reads_parquet_and_survives_a_dead_worker(ray, folder, expected, tmp_path):
    from surprisal.ray import fit_fleet as fit

    def task():
        import ray

        return ray.get_runtime_context().get_task_id()

    stop = killer(tmp_path, task)
    check(fit(folder, "machine", progress=stop, **OPTIONS).to_dict("records"), expected)
    assert runs(tmp_path) == [1] * (len(MACHINES) - 1) + [2]


def test_ray_fits_a_data_frame_and_files_by_machine(ray, rows, expected, tmp_path):
    from surprisal.ray import fit_fleet as fit

    frame = rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    check(fit(frame.sample(frac=1, random_state=0), "machine", sort="at", **OPTIONS).to_dict("records"), expected)
    pa.dataset.write_dataset(
        rows, tmp_path, format="parquet", partitioning=pa.dataset.partitioning(pa.schema({"machine": pa.string()}), flavor="hive")
    )
    # The column of the machine comes last here.
    fitted = fit(tmp_path, "machine", **OPTIONS)
    assert fitted["machine"].tolist() == [*MACHINES, "short"]
    tables = {name: Model.from_bytes(expected[name]).table_bytes() for name in MACHINES}
    assert {name: Model.from_bytes(fitted["srp"][at]).table_bytes() for at, name in enumerate(MACHINES)} == tables


def test_ray_reads_the_true_names_of_machines_from_paths(ray, tmp_path):
    from surprisal.ray import fit_fleet as fit

    # Names that paths escape, or that look like numbers.
    names = ["pump 7", "pump%207", "pump/7", "é: ü=1", "007", "7"]
    level = np.random.default_rng(1).normal(50, 5, 120 * len(names)).round(1)
    frame = pd.DataFrame({"level": level, "flow": (level / 9).round(1), "machine": names * 120})
    alone = frame[frame["machine"].isin(["007", "7"])].reset_index(drop=True)
    for rows, folder in [(frame, tmp_path / "all"), (alone, tmp_path / "numbers")]:
        rows.to_parquet(folder, partition_cols=["machine"])
        fits = fit_fleet(rows, "machine", tmp_path / "models")
        fitted = fit(folder, "machine").set_index("machine")
        assert sorted(fitted.index) == [one["machine"] for one in fits] == sorted(set(rows["machine"]))
        for one in fits:
            expected = (tmp_path / "models" / one["file"]).read_bytes()
            assert bytes(fitted.loc[one["machine"], "srp"]) == expected, one["machine"]


def test_ray_names_a_machine_whose_worker_always_dies(ray, rows):
    from surprisal.ray import fit_fleet as fit

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    fitted = fit(rows.to_pandas(), "machine", progress=die, **OPTIONS)
    assert fitted["srp"].tolist() == [None] * 6
    assert all("died" in error for error in fitted["error"][:5]) and "needed" in fitted["error"][5]
    with pytest.raises(SurprisalError, match="seed"):
        fit(rows.to_pandas(), "machine", seed=-1)


def test_spark_reads_parquet_and_survives_a_dead_worker(spark, folder, expected, tmp_path):
    from surprisal.spark import SCHEMA, fit_machine

    def task():
        from pyspark import TaskContext

        return f"partition{TaskContext.get().partitionId()}"

    frame = spark.read.parquet(str(folder)).where("machine is not null").repartition(6, "machine")
    fit = fit_machine("machine", sort="at", progress=killer(tmp_path, task), **OPTIONS)
    fitted = frame.groupBy("machine").applyInArrow(fit, SCHEMA).collect()
    check([row.asDict() for row in fitted], expected)
    # A task holds the machines of one partition.
    assert runs(tmp_path)[-2:] == [1, 2]
    executors = spark.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    assert len(executors) == 3, "the driver and two workers"


def test_spark_fits_data_frames_of_pandas(spark, folder, rows):
    from surprisal.spark import SCHEMA, fit_machine

    frame = spark.read.parquet(str(folder)).where("machine = 'B'")
    like = Model.fit(rows, ignore=["at", "machine"])
    fit = fit_machine("machine", sort="at", like=like, **OPTIONS)
    [fitted] = frame.groupBy("machine").applyInPandas(fit, SCHEMA).collect()
    alone = rows.filter(pa.compute.equal(rows["machine"], "B")).to_pandas()
    assert bytes(fitted["srp"]) == Model.fit(alone, machine=("machine", "B"), like=like, **OPTIONS).to_bytes()
