"""One full example of every document; golden files are made from them."""

from __future__ import annotations

from edge_agent.wire.attributes import AttributeRule, AttributeRules, AttributeStage, AttributeValue
from edge_agent.wire.base import Document
from edge_agent.wire.correction import Correction, Feedback
from edge_agent.wire.detection import Detection, DetectorRef, FrameSize
from edge_agent.wire.event import (
    Crossing,
    Event,
    EventClock,
    Loitering,
    SnapshotInfo,
    TrackSummary,
    Zones,
)
from edge_agent.wire.homeassistant import (
    HaAvailability,
    HaDevice,
    HaDeviceDocument,
    HaEntity,
    HaOrigin,
    HaTrigger,
)
from edge_agent.wire.live import LivePicture, LookWanted
from edge_agent.wire.manifest import (
    AnchorFreeDecoder,
    AnchorFreeLevel,
    GoldenFrame,
    Head,
    InputSpec,
    LabelSpec,
    Manifest,
    MeasuredLimits,
    SubnetRef,
)
from edge_agent.wire.nearby import (
    NearbyAddition,
    NearbyCamera,
    NearbyCameras,
    NearbyChannel,
    NearbyStream,
    NearbyWanted,
    SealedLogin,
)
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from edge_agent.wire.profile import Accelerator, DeviceProfile, InstallNotes, SpeedReference
from edge_agent.wire.receipt import (
    BrokenLimit,
    Curve,
    EmbeddingMeasurement,
    Estimate,
    FrameDifference,
    Measurement,
    Receipt,
    Removal,
)
from edge_agent.wire.rules import CameraRules, LabelLimits, LineRule, MotionMask, Schedule, ZoneRule
from edge_agent.wire.shadow import ShadowCamera, ShadowReport
from edge_agent.wire.status import CameraDetail, CameraStats, LabelAttributes, Stats, UpdateState
from edge_agent.wire.sync import (
    Ack,
    BatchItem,
    BundleTarget,
    CameraSettings,
    Desired,
    DesiredHint,
    DroppedRange,
    EnrolReply,
    EnrolRequest,
    EnrolTicket,
    EventBatch,
    FrameWanted,
    MqttAccess,
    Reported,
    UpdateOutcome,
)
from edge_agent.wire.target import HeadUpdateTarget, KitIndex, TargetCustom

DIGEST = "a" * 64
DETECTOR = DetectorRef(id="d1", name="persons", version=2, precision="int8", bundle_sha256=DIGEST)
DETECTION = Detection(label="person", score=0.875, box=(0.25, 0.5, 0.5, 1.0))
SUBNET = SubnetRef(name="efficientnet-lite0", source="a package", licence="Apache-2.0", sha256=DIGEST)
TARGET = BundleTarget(
    path="bundles/persons-2.zip",
    sha256=DIGEST,
    length_bytes=1_000_000,
    release=3,
    detector_id="d1",
    detector_name="persons",
    detector_version=2,
)
SHADOW = ShadowReport(
    bundle_sha256=DIGEST,
    detectors=(DETECTOR,),
    since=1_800_000_000.0,
    until=1_800_003_600.0,
    cameras={
        "door": ShadowCamera(
            alerts_now=19,
            alerts_candidate=3,
            alerts_both=2,
            only_now=(1_800_000_100.0, 1_800_000_200.0),
            only_candidate=(1_800_000_300.0,),
            pictures=3_000,
        )
    },
    summary="3 alerts instead of 19 (17 fewer, 1 new)",
)
RULES = CameraRules(
    look_every_s=20.0,
    motion_masks=(MotionMask(name="tree", corners=((0.0, 0.0), (0.25, 0.0), (0.0, 0.5))),),
    zones=(
        ZoneRule(
            name="path", corners=((0.0, 0.5), (1.0, 0.5), (1.0, 1.0)), labels=("person",), loiter_s=30.0
        ),
    ),
    lines=(LineRule(name="gate", start=(0.25, 1.0), end=(0.25, 0.5), labels=("person",), towards="right"),),
    labels=(LabelLimits(label="person", threshold=0.5, min_area=0.015625, max_area=0.5, required_zones=()),),
    required_zones=("path",),
    still_again_s=120.0,
    schedules=(Schedule(days=("sat", "sun"), begin="22:00", end="06:00", pause="events"),),
    time_zone="Europe/Berlin",
)
EVENT = Event(
    event_type="new",
    id="0190a1b2c3d4-abcdef",
    device="porch",
    camera="door",
    label="person",
    score=0.75,
    top_score=0.875,
    box=(0.25, 0.5, 0.5, 1.0),
    frame_size=FrameSize(width_px=768, height_px=576),
    zones=Zones(entered=("path",), current=("path",)),
    loitering=(Loitering(zone="path", since=1_799_999_990.0),),
    crossings=(Crossing(line="gate", towards="right", time=1_799_999_980.0),),
    start_time=1_800_000_000.0,
    frame_time=1_800_000_000.5,
    track=TrackSummary(frames=4, stationary=False, path_length_norm=0.125),
    detector=DETECTOR,
    answered_by="cloud",
    offload_reason="unsure",
    snapshot=SnapshotInfo(available=True, blurred=True),
    attributes={"kind": AttributeValue(value="diet", score=0.75)},
    clock=EventClock(boot_id="boot-1", monotonic_s=12.5),
)

EXAMPLES: dict[str, Document] = {
    "detection": DETECTION,
    "attribute-rules": AttributeRules(
        attributes=(
            AttributeRule(
                name="Kind",
                slug="kind",
                labels=("can",),
                values=("diet", "regular"),
                centre=(0.5, 0.25),
                means=((1.0, 0.0), (0.0, 1.0)),
                least_similarity=0.25,
                least_margin=0.125,
            ),
        )
    ),
    "event": EVENT,
    "manifest": Manifest(
        name="persons-v2-litert-int8",
        profile="pi-4",
        release=3,
        runtime="litert",
        precision="int8",
        model_file="model.tflite",
        files={
            "model.tflite": DIGEST,
            "golden/0.png": DIGEST,
            "embedding.tflite": DIGEST,
            "attributes.json": DIGEST,
        },
        input=InputSpec(name="images", width_px=512, height_px=384, dtype="int8"),
        heads=(
            Head(
                detector=DETECTOR,
                labels=(LabelSpec(name="person", slug="person", threshold=0.5),),
                decoder=AnchorFreeDecoder(
                    levels=(AnchorFreeLevel(stride_px=8, scores_output="scores_8", boxes_output="boxes_8"),)
                ),
            ),
        ),
        subnets=(SUBNET,),
        golden=(GoldenFrame(image_file="golden/0.png", detections=(DETECTION,)),),
        measured=MeasuredLimits(
            machine="x86_64", ms_p50=10.0, ms_p99=12.0, peak_memory_bytes=60_000_000, ap50=0.9, images=20
        ),
        attributes=AttributeStage(
            model_file="embedding.tflite",
            rules_file="attributes.json",
            input=InputSpec(name="images", width_px=128, height_px=128, dtype="int8"),
            output="embedding",
        ),
        created=1_800_000_000.0,
    ),
    "device-profile": DeviceProfile(
        name="pi-4",
        title="Raspberry Pi 4",
        arch="aarch64",
        ram_for_us_bytes=512_000_000,
        storage_bytes=4_000_000_000,
        runtimes=("litert", "onnx"),
        threads=1,
        accelerator=Accelerator(name="Edge TPU", needs="edgetpu_compiler"),
        refused_ops=("HARD_SWISH",),
        input_sizes_px=((512, 384),),
        target_fps=5.0,
        install=InstallNotes(
            kind="systemd",
            notes="pip and a unit file",
            template="systemd",
            system_packages=("python3-numpy",),
            pip_packages=("av",),
            pip_packages_alone=("cryptography",),
        ),
        speed_reference=SpeedReference(
            network="MobileNet v2", macs=300_000_000, ms=44.0, clock_ratio=1.5, source="a table"
        ),
        sources=("data sheet",),
    ),
    "camera-detail": CameraDetail(
        status="offline", reason="connection refused", since=1_800_000_000.0, reopened=2
    ),
    "label-attributes": LabelAttributes(
        label="person",
        count=1,
        stationary=1,
        score=0.875,
        box=(0.25, 0.5, 0.5, 1.0),
        zones=("path",),
        detector=DETECTOR,
        answered_by="local",
        event_id="0190a1b2c3d4-abcdef",
    ),
    "stats": Stats(
        device="porch",
        agent_version="0.1.0",
        uptime_s=60.0,
        cameras={
            "door": CameraStats(
                fps_captured=10.0,
                fps_inferred=5.0,
                frames_skipped=7,
                frames_dropped=1,
                gate_ratio=0.5,
                inference_ms_p50=20.0,
                inference_ms_p99=30.0,
                false_alarms=2,
                suppressed=5,
                suppressed_boxes=60,
                frames_throttled=3,
            )
        },
        rss_bytes=100_000_000,
        pss_bytes=90_000_000,
        temperature_c=51.5,
        operation="local",
        throttled=("temperature",),
        alarms=("spool: the disk is full",),
        shadow=SHADOW,
    ),
    "shadow-report": SHADOW,
    "update-state": UpdateState(installed_version="1", latest_version="2", title="persons", in_progress=True),
    "enrol-ticket": EnrolTicket(cloud="http://hub:8420", token="one-time-token", root_sha256="a" * 64),
    "enrol-request": EnrolRequest(
        token="one-time-token",
        name="porch",
        public_key_pem="-----BEGIN PUBLIC KEY-----",
        profile="pi-4",
        arch="aarch64",
        agent_version="0.1.0",
    ),
    "enrol-reply": EnrolReply(
        device="porch",
        mqtt=MqttAccess(host="hub", port=1883, username="porch", password="secret", client_id="porch"),
        tuf_root="{}",
        tuf_metadata_url="http://hub/tuf/metadata/",
        tuf_targets_url="http://hub/tuf/targets/",
    ),
    "desired": Desired(
        device="porch",
        version=7,
        bundle=TARGET,
        shadow=TARGET,
        cameras={"door": CameraSettings(threshold=0.5, rules=RULES)},
        frames_wanted=(FrameWanted(request_id="r1", event_id="0190a1b2c3d4-abcdef"),),
        nearby_wanted=NearbyWanted(
            request_id="nby_1",
            add=NearbyAddition(
                name="yard",
                service="http://192.168.1.20/onvif/device_service",
                login=SealedLogin(key="BA==", nonce="AA==", text="AA=="),
            ),
        ),
    ),
    "desired-hint": DesiredHint(version=7),
    "look-wanted": LookWanted(camera="door", for_s=12.0, fps=5.0, max_px=480),
    "live-picture": LivePicture(
        camera="door",
        frame_time=1_800_000_000.0,
        blurred=True,
        detections=(Detection(label="person", score=0.9, box=(0.1, 0.2, 0.3, 0.8)),),
        jpeg_base64="/9j/",
    ),
    "reported": Reported(
        device="porch",
        desired_version=7,
        agent_version="0.1.0",
        profile="pi-4",
        installed=TARGET,
        shadow=SHADOW,
        phase="idle",
        outcomes=(UpdateOutcome(id="u1", bundle_sha256=DIGEST, outcome="success", at=1_800_000_000.0),),
        cameras={"door": CameraSettings()},
    ),
    "nearby-cameras": NearbyCameras(
        device="porch",
        request_id="nby_1",
        cameras=(
            NearbyCamera(
                host="192.168.1.20",
                service="http://192.168.1.20/onvif/device_service",
                name="Front door",
                model="Acme Eye 5",
                channels=(
                    NearbyChannel(
                        channel=1,
                        detect=NearbyStream(
                            url="rtsp://192.168.1.20:554/sub",
                            codec="H264",
                            width_px=640,
                            height_px=360,
                            fps=15.0,
                        ),
                        main=NearbyStream(url="rtsp://192.168.1.20:554/main"),
                        note="set one up in its settings",
                    ),
                ),
            ),
        ),
        seal_key="BA==",
    ),
    "event-batch": EventBatch(
        device="porch",
        epoch="epoch-1",
        items=(BatchItem(seq=1, event=EVENT, thumbnail_jpeg_base64="/9j/"),),
        dropped=(DroppedRange(first_seq=2, last_seq=3, reason="quota"),),
        oldest_seq=1,
    ),
    "ack": Ack(epoch="epoch-1", seq=1),
    "offload-request": OffloadRequest(
        request_id="request-1",
        device="porch",
        camera="door",
        detector_id="d1",
        detector_version=2,
        reason="unsure",
        deadline_ms=2000,
        frame_time=1_800_000_000.0,
        event_id="0190a1b2c3d4-abcdef",
        crop=(0.0, 0.0, 0.5, 0.5),
    ),
    "offload-reply": OffloadReply(
        request_id="request-1", detector=DETECTOR, detections=(DETECTION,), inference_ms=50.0, queued_ms=1.0
    ),
    "feedback": Feedback(verdict="wrong", event_id="0190a1b2c3d4-abcdef"),
    "correction": Correction(
        id="c1",
        verdict="missed",
        device="porch",
        camera="door",
        time=1_800_000_000.0,
        label="person",
        box=(0.25, 0.5, 0.5, 1.0),
        source="portal",
        author="owner",
        created=1_800_000_000.0,
    ),
    "receipt": Receipt(
        detector=DETECTOR,
        profile="pi-4",
        chosen="litert_int8",
        before=Measurement(form="full", runtime="torch", precision="fp32", bytes=14_000_000, ap50=0.92),
        after=(
            Measurement(
                form="litert_int8",
                runtime="litert",
                precision="int8",
                bytes=3_600_000,
                ap50=0.91,
                images=24,
                agreement_f1=0.97,
                ms_p50=20.0,
                ms_p99=25.0,
                peak_memory_bytes=60_000_000,
                bundle_sha256=DIGEST,
                bundle_bytes=4_000_000,
                embedding=EmbeddingMeasurement(
                    bytes=3_000_000, crops=12, cosine_median=0.99, cosine_least=0.97, same_value=1.0
                ),
                candidate="256x192, half of the channels",
                input_px=(256, 192),
                macs=120_000_000,
                ap50_change_95=(-0.02, 0.01),
                agreement_95=(0.95, 0.98),
                agreement_images=500,
                memory_limit_bytes=128_000_000,
                memory_limited_by="cgroup",
                float_layers=1,
                on_front=True,
            ),
        ),
        removed=(Removal(stage="quantize", what="float weights", parameters_before=10, parameters_after=10),),
        calibration_images=32,
        subnets=(SUBNET,),
        versions={"torch": "2.13.0"},
        machine="x86_64",
        reproduce="elfowl-compress run persons@2 --profile pi-4 --out out",
        seconds={"total": 60.0},
        created=1_800_000_000.0,
        effort="normal",
        limits={"memory_bytes": 128_000_000.0},
        broken=(BrokenLimit(limit="time", unit="ms", value=20.0, allowed=10.0),),
        tried=(
            Measurement(
                form="litert_int8",
                runtime="litert",
                precision="int8",
                bytes=3_600_000,
                ended="needs more than 20.0 MB of memory",
            ),
        ),
        curves=(Curve(form="full", label="person", precision=(1.0, 0.5)),),
        differences=(
            FrameDifference(
                picture="a.png", before=((0.0, 0.0, 0.5, 0.5),), after=(), truth=((0.0, 0.0, 0.5, 0.5),)
            ),
        ),
        estimates=(Estimate(what="time on the device", value=90.0, unit="ms", made_from="a guess"),),
        notes=("int8 lost more than allowed",),
    ),
    "target-custom": TargetCustom(
        head_update=HeadUpdateTarget(
            path="bundles/persons-2-heads.zip", sha256=DIGEST, length_bytes=40_000, trunk_sha256=DIGEST
        ),
        profile="pi-4",
        min_agent_version="0.1.0",
        release=3,
        detector_id="d1",
        detector_name="persons",
        detector_version=2,
    ),
    "kit-index": KitIndex(target=TARGET, bin_role="bin-0f"),
    "homeassistant-entity": HaEntity(
        name="Person",
        unique_id="elfowl_porch_door_person",
        object_id="porch_door_person",
        default_entity_id="binary_sensor.porch_door_person",
        device=HaDevice(identifiers=("elfowl_porch_door",), name="door", via_device="elfowl_porch"),
        availability=(HaAvailability(topic="elfowl/porch/available"),),
        state_topic="elfowl/porch/cam/door/label/person",
        value_template="{{ 'ON' if value | int > 0 else 'OFF' }}",
        payload_on="ON",
        payload_off="OFF",
        device_class="occupancy",
    ),
    "homeassistant-trigger": HaTrigger(
        topic="elfowl/porch/cam/door/event",
        type="seen",
        subtype="door person",
        payload="new person",
        value_template="{{ value_json.event_type ~ ' ' ~ value_json.label }}",
        device=HaDevice(identifiers=("elfowl:porch",), name="porch"),
    ),
    "homeassistant-device": HaDeviceDocument(
        device=HaDevice(identifiers=("elfowl:porch",), name="porch", model="pi-4", sw_version="0.1.0"),
        origin=HaOrigin(sw_version="0.1.0"),
        components={
            "door-count-person": {
                "platform": "sensor",
                "name": "door person count",
                "unique_id": "elfowl:porch:door-count-person",
                "default_entity_id": "sensor.porch_door_person_count",
                "availability": [{"topic": "elfowl/porch/available"}],
                "availability_mode": "all",
                "qos": 1,
                "state_topic": "elfowl/porch/cam/door/label/person",
            },
            "door-count-cat": {"platform": "sensor"},
        },
    ),
}
