"""Files that users bring: each format gives the features of the network that is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from cloud.errors import InputError
from cloud.subnets import canonical, taps
from cloud.subnets.adapters import exported_file, onnx_file, tflite_file
from cloud.subnets.graph import OUTPUT_NAMES, Network, network_of, same_pads
from cloud.subnets.interpreter import GraphTrunk
from cloud.subnets.manifest import Channels
from cloud.subnets.widen import widened
from tests.cloud.subnets.networks import (
    Rows,
    run_onnx,
    tiny_net,
    with_pickled_weights,
    write_exported,
    write_onnx,
    write_tflite,
)

OURS: tuple[Channels, Channels] = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
IMAGENET: tuple[Channels, Channels] = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def trunk_of(network: Network, how: tuple[Channels, Channels] = OURS) -> Network:
    chosen = [tap.name for tap in taps.choose_taps(network)]
    return canonical.canonical(network, chosen, *how)


def image(height: int = 64, width: int = 96) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return (torch.randint(0, 256, (2, 3, height, width), generator=generator).float() - 127) / 128


def assert_alike(found: Rows, expected: Rows, tolerance: float = 1e-4) -> None:
    assert [one.shape for one in found] == [one.shape for one in expected]
    assert max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)) < tolerance


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tiny_net(), tmp_path_factory.mktemp("exported") / "tiny.pt2")


@pytest.mark.slow
def test_torch_export_file_gives_the_features_of_the_module(exported: Path) -> None:
    with torch.inference_mode():
        expected = [level.numpy() for level in tiny_net().features(image())]
    assert_alike(run_onnx(trunk_of(exported_file.read(exported)), image()), expected)


@pytest.mark.slow
def test_torch_export_file_serves_other_sizes_than_its_own(exported: Path) -> None:
    with torch.inference_mode():
        expected = [level.numpy() for level in tiny_net().features(image(160, 32))]
    assert_alike(run_onnx(trunk_of(exported_file.read(exported)), image(160, 32)), expected)


@pytest.mark.slow
def test_trained_preprocessing_is_absorbed_but_for_the_border(exported: Path) -> None:
    byte = image(128, 128) * 128 + 127
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in IMAGENET)
    with torch.inference_mode():
        expected = [level.numpy() for level in tiny_net().features((byte - mean) / std)]
    found = run_onnx(trunk_of(exported_file.read(exported), IMAGENET), image(128, 128))
    inner = slice(3, -1)
    assert_alike([found[0][:, :, inner, inner]], [expected[0][:, :, inner, inner]])


@pytest.mark.slow
def test_torch_export_file_with_pickled_weights_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pickles"):
        exported_file.read(with_pickled_weights(exported, tmp_path / "pickled.pt2"))


@pytest.mark.slow
def test_torch_export_sample_inputs_are_never_read(exported: Path, tmp_path: Path) -> None:
    """They are a pickle: reading must do without."""
    target = with_pickled_weights(exported, tmp_path / "bad.pt2", poison_samples=True)
    assert exported_file.read(target).nodes


def test_preprocessing_behind_a_border_of_its_own_is_kept_exactly(tmp_path: Path) -> None:
    """A transposed input is no convolution: a product and a sum stand before it, and nothing is absorbed."""
    path = write_onnx(tmp_path / "tiny.onnx", channels_last=True)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in IMAGENET)
    trained = ((image() * 128 + 127) - mean) / std
    expected = run_onnx(trunk_of(onnx_file.read(path), OURS), trained)
    assert_alike(run_onnx(trunk_of(onnx_file.read(path), IMAGENET), image()), expected)


@pytest.mark.parametrize("channels_last", [False, True])
def test_onnx_file_in_either_layout_gives_its_own_features(tmp_path: Path, *, channels_last: bool) -> None:
    path = write_onnx(tmp_path / "tiny.onnx", channels_last=channels_last)
    model = onnx.load(path)
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(f"act{index}") for index in (2, 3, 4))
    pixels = image().permute(0, 2, 3, 1).contiguous() if channels_last else image()
    expected = run_onnx(model, pixels, name="pixels", outputs=["act2", "act3", "act4"])
    assert_alike(run_onnx(trunk_of(onnx_file.read(path)), image()), expected)


def test_tflite_file_gives_the_features_of_its_interpreter(tmp_path: Path) -> None:
    path = write_tflite(tmp_path / "tiny.tflite")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    picture = image()[:1]
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], picture.permute(0, 2, 3, 1).contiguous().numpy()
    )
    interpreter.invoke()
    by_name = {one["name"]: one["index"] for one in interpreter.get_tensor_details()}
    expected = [interpreter.get_tensor(by_name[f"level{index}"]).transpose(0, 3, 1, 2) for index in (2, 3, 4)]
    assert_alike(run_onnx(trunk_of(tflite_file.read(path)), picture), expected)


@pytest.mark.parametrize("operator", ["Relu", "Sigmoid", "HardSwish", "HardSigmoid", "Tanh", "LeakyRelu"])
def test_torch_trunk_answers_as_onnx_runtime(tmp_path: Path, operator: str) -> None:
    trunk = trunk_of(onnx_file.read(write_onnx(tmp_path / "tiny.onnx", operator=operator)))
    with torch.inference_mode():
        expected = [level.numpy() for level in GraphTrunk(trunk).eval()(image())]
    assert_alike(run_onnx(trunk, image()), expected)


@pytest.mark.slow
def test_torch_trunk_can_be_exported(exported: Path) -> None:
    """Compression begins with that."""
    trunk = GraphTrunk(trunk_of(exported_file.read(exported))).eval()
    program = torch.export.export(trunk, (image()[:1],))
    with torch.inference_mode():
        found = program.module()(image()[:1])
        assert_alike([one.numpy() for one in found], [one.numpy() for one in trunk(image()[:1])])


def with_border(path: Path, sides: int) -> Path:
    """Put a border before the first convolution whose width is computed from constants, as exporters do."""
    model = onnx.load(path)
    make = onnx.helper.make_node
    for name, values in (("four", [4]), ("sides", [sides] * 4)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    model.graph.node[0].input[0] = "bordered"
    for node in (
        make("Pad", ["pixels", "amounts"], ["bordered"]),
        make("Concat", ["zeros", "sides"], ["amounts"], axis=0),
        make("ConstantOfShape", ["four"], ["zeros"], value=numpy_helper.from_array(np.array([0], np.int64))),
    ):
        model.graph.node.insert(0, node)
    onnx.save(model, path)
    return path


def test_constants_that_are_computed_are_computed_once(tmp_path: Path) -> None:
    network = onnx_file.read(with_border(write_onnx(tmp_path / "tiny.onnx"), 0))
    assert network.weights["amounts"].tolist() == [0] * 8
    expected = run_onnx(trunk_of(onnx_file.read(write_onnx(tmp_path / "plain.onnx"))), image())
    assert_alike(run_onnx(trunk_of(network), image()), expected)


def test_constant_of_a_giant_shape_is_never_made(tmp_path: Path) -> None:
    path = with_border(write_onnx(tmp_path / "tiny.onnx"), 0)
    model = onnx.load(path)
    giant = numpy_helper.from_array(np.array([2**40], np.int64), "four")
    model.graph.initializer[-2].CopyFrom(giant)
    onnx.save(model, path)
    network = onnx_file.read(path)
    assert network.lacking == ["ConstantOfShape"]


@pytest.mark.parametrize(
    ("operator", "missing"), [("Erf", "Erf"), ("Softmax", "Softmax"), ("InstanceNormalization", "Instance")]
)
def test_unknown_operator_is_named(tmp_path: Path, operator: str, missing: str) -> None:
    network = onnx_file.read(write_onnx(tmp_path / "odd.onnx", operator=operator))
    with pytest.raises(InputError, match=missing):
        taps.choose_taps(network)


def test_taps_by_name_must_be_at_their_strides(tmp_path: Path) -> None:
    network = onnx_file.read(write_onnx(tmp_path / "tiny.onnx"))
    named = taps.named_taps(network, ["conv2", "act3", "conv4"])
    assert [(tap.stride_px, tap.channels) for tap in named] == [(8, 12), (16, 16), (32, 20)]
    with pytest.raises(InputError, match="conv1"):
        taps.named_taps(network, ["conv1", "conv2", "conv3"])


@pytest.mark.parametrize("reader", [onnx_file.read, tflite_file.read, exported_file.read])
@pytest.mark.parametrize("content", [b"", b"no network", b"\x00\x00\x00\x00TFL3" + b"\xff" * 64])
def test_damaged_file_is_refused_in_one_line(tmp_path: Path, reader: object, content: bytes) -> None:
    path = tmp_path / "network"
    path.write_bytes(content)
    with pytest.raises(InputError, match="network: ") as caught:
        reader(path)  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "tiny.onnx")
    model = onnx.load(path)
    values = numpy_helper.to_array(model.graph.initializer[0]).copy()
    values[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, model.graph.initializer[0].name))
    onnx.save(model, path)
    with pytest.raises(InputError, match="not finite"):
        trunk_of(onnx_file.read(path))


def test_widened_graph_answers_the_same(tmp_path: Path) -> None:
    trunk = trunk_of(onnx_file.read(write_onnx(tmp_path / "tiny.onnx", operator="Sigmoid")))
    clipped = trunk_of(onnx_file.read(write_onnx(tmp_path / "relu.onnx", operator="Relu")))
    for one in (trunk, clipped):
        wide = network_of(onnx.load_from_string(widened(one.serialised(OUTPUT_NAMES))))
        assert_alike(run_onnx(wide, image()), run_onnx(one, image()))


@pytest.mark.parametrize("any_block", [8, 16])
def test_widened_graph_that_stays_wide_has_zeros_after_the_same_answers(
    tmp_path: Path, any_block: int
) -> None:
    trunk = trunk_of(onnx_file.read(write_onnx(tmp_path / "relu.onnx", operator="Relu")))
    graph = widened(trunk.serialised(OUTPUT_NAMES), any_block=any_block, narrow=False)
    wide = run_onnx(network_of(onnx.load_from_string(graph)), image())
    plain = run_onnx(trunk, image())
    assert all(one.shape[1] % any_block == 0 for one in wide)
    assert all(not one[:, true.shape[1] :].any() for one, true in zip(wide, plain, strict=True))
    assert_alike([one[:, : true.shape[1]] for one, true in zip(wide, plain, strict=True)], plain)


def test_widened_graph_has_only_widths_of_eight(tmp_path: Path) -> None:
    trunk = trunk_of(onnx_file.read(write_onnx(tmp_path / "tiny.onnx")))
    wide = network_of(onnx.load_from_string(widened(trunk.serialised(OUTPUT_NAMES))))
    widths = [wide.weights[node.input[1]].shape[0] for node in wide.nodes if node.op_type == "Conv"]
    assert widths == [8, 8, 16, 16, 32]


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "expected"),
    [(3, 1, 1, (1, 1)), (3, 2, 1, (0, 1)), (5, 2, 1, (1, 2)), (1, 2, 1, (0, 0)), (3, 1, 2, (2, 2))],
)
def test_same_pads_are_tensorflow_s(
    kernel: int, stride: int, dilation: int, expected: tuple[int, int]
) -> None:
    top, left, bottom, right = same_pads([kernel] * 2, [stride] * 2, [dilation] * 2)
    assert (top, bottom) == (left, right) == expected
