# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Facts of NVIDIA GPUs, with units in their names, and the names that nvidia-smi gives them in each format.

XML names are those of nvsmi_device_v11 (drivers up to 530), v12 (535 and on) and v13; the names of --query-gpu are of
the same drivers. The newest name comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import (
    Unavailable,
    count,
    decimal,
    first_missing,
    link_lanes,
    part,
    switch,
    told,
    whole,
    word,
)

# Each is the value, or why there is none.
Number = Union[int, Unavailable]
Decimal = Union[float, Unavailable]
Switch = Union[bool, Unavailable]
Word = Union[str, Unavailable]

# Below it a GPU may save power on its link, which says nothing about the link. Our figure: half of the time at work.
_BUSY_PERCENT = 50


@dataclass(frozen=True)
class Ecc:
    """Error correction: whether it is on, and what it counted since the driver was loaded and in the GPU's life."""

    enabled: Switch = told(switch, xml=("ecc_mode/current_ecc",), csv=("ecc.mode.current",))
    enabled_after_reset: Switch = told(switch, xml=("ecc_mode/pending_ecc",), csv=("ecc.mode.pending",))
    volatile_dram_corrected: Number = told(
        count, xml=("ecc_errors/volatile/dram_correctable",), csv=("ecc.errors.corrected.volatile.dram",)
    )
    volatile_sram_corrected: Number = told(
        count, xml=("ecc_errors/volatile/sram_correctable",), csv=("ecc.errors.corrected.volatile.sram",)
    )
    volatile_dram_uncorrectable: Number = told(
        count, xml=("ecc_errors/volatile/dram_uncorrectable",), csv=("ecc.errors.uncorrected.volatile.dram",)
    )
    # v13 tells the two codes apart that v12 counts together.
    volatile_sram_parity: Number = told(
        count,
        xml=("ecc_errors/volatile/sram_uncorrectable_parity", "ecc_errors/volatile/sram_uncorrectable"),
        csv=("ecc.errors.uncorrected.volatile.sram.parity", "ecc.errors.uncorrected.volatile.sram"),
    )
    volatile_sram_secded: Number = told(
        count,
        xml=("ecc_errors/volatile/sram_uncorrectable_secded", "ecc_errors/volatile/sram_uncorrectable"),
        csv=("ecc.errors.uncorrected.volatile.sram.secded", "ecc.errors.uncorrected.volatile.sram"),
    )
    aggregate_dram_uncorrectable: Number = told(
        count, xml=("ecc_errors/aggregate/dram_uncorrectable",), csv=("ecc.errors.uncorrected.aggregate.dram",)
    )
    aggregate_sram_parity: Number = told(
        count,
        xml=("ecc_errors/aggregate/sram_uncorrectable_parity", "ecc_errors/aggregate/sram_uncorrectable"),
        csv=("ecc.errors.uncorrected.aggregate.sram.parity", "ecc.errors.uncorrected.aggregate.sram"),
    )
    aggregate_sram_secded: Number = told(
        count,
        xml=("ecc_errors/aggregate/sram_uncorrectable_secded", "ecc_errors/aggregate/sram_uncorrectable"),
        csv=("ecc.errors.uncorrected.aggregate.sram.secded", "ecc.errors.uncorrected.aggregate.sram"),
    )
    sram_threshold_exceeded: Switch = told(
        switch,
        xml=("ecc_errors/aggregate/sram_threshold_exceeded",),
        csv=("ecc.errors.uncorrected.aggregate.sram.thresholdExceeded",),
    )
    channel_repair_pending: Switch = told(switch, xml=("ecc_errors/channel_repair_pending",))
    tpc_repair_pending: Switch = told(switch, xml=("ecc_errors/tpc_repair_pending",))
    unrepairable_memory: Switch = told(switch, xml=("ecc_errors/unrepairable_memory",))

    @property
    def change_pending(self) -> Switch:
        """Say whether the next reset switches error correction on or off."""
        return _differ(self.enabled, self.enabled_after_reset)

    @property
    def volatile_sram_uncorrectable(self) -> Number:
        """Return the worse of the two counts of SRAM, which are one count before v13."""
        return _worse(self.volatile_sram_parity, self.volatile_sram_secded)

    @property
    def aggregate_sram_uncorrectable(self) -> Number:
        """Return the worse of the two counts of SRAM in the GPU's life."""
        return _worse(self.aggregate_sram_parity, self.aggregate_sram_secded)


@dataclass(frozen=True)
class RemappedRows:
    """Rows of memory that were replaced by spare ones (Ampere and newer)."""

    corrected: Number = told(
        count, xml=("remapped_rows/remapped_row_corr",), csv=("remapped_rows.correctable",), mig_hides=True
    )
    uncorrectable: Number = told(
        count, xml=("remapped_rows/remapped_row_unc",), csv=("remapped_rows.uncorrectable",), mig_hides=True
    )
    pending: Switch = told(
        switch, xml=("remapped_rows/remapped_row_pending",), csv=("remapped_rows.pending",), mig_hides=True
    )
    failure: Switch = told(
        switch, xml=("remapped_rows/remapped_row_failure",), csv=("remapped_rows.failure",), mig_hides=True
    )
    banks_without_spare: Number = told(
        whole("bank(s)"),
        xml=("remapped_rows/row_remapper_histogram/row_remapper_histogram_none",),
        csv=("remapped_rows.histogram.none",),
        mig_hides=True,
    )


@dataclass(frozen=True)
class RetiredPages:
    """Pages of memory that are not used any more (before Ampere)."""

    single_bit: Number = told(
        count,
        xml=("retired_pages/multiple_single_bit_retirement/retired_count",),
        csv=("retired_pages.single_bit_ecc.count",),
    )
    double_bit: Number = told(
        count, xml=("retired_pages/double_bit_retirement/retired_count",), csv=("retired_pages.double_bit.count",)
    )
    pending: Switch = told(
        switch,
        xml=("retired_pages/pending_retirement", "retired_pages/pending_blacklist"),
        csv=("retired_pages.pending",),
    )

    @property
    def total(self) -> Number:
        """Return how many pages were retired for either cause."""
        missing = first_missing(self.single_bit, self.double_bit)
        return missing or int(self.single_bit) + int(self.double_bit)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ClockEvents:
    """Why the clocks are not higher, at this moment. Until driver 535 these were called throttle reasons."""

    active_mask: Word = told(word, csv=("clocks_event_reasons.active", "clocks_throttle_reasons.active"))
    hw_slowdown: Switch = told(
        switch,
        xml=(
            "clocks_event_reasons/clocks_event_reason_hw_slowdown",
            "clocks_throttle_reasons/clocks_throttle_reason_hw_slowdown",
        ),
        csv=("clocks_event_reasons.hw_slowdown", "clocks_throttle_reasons.hw_slowdown"),
    )
    hw_thermal: Switch = told(
        switch,
        xml=(
            "clocks_event_reasons/clocks_event_reason_hw_thermal_slowdown",
            "clocks_throttle_reasons/clocks_throttle_reason_hw_thermal_slowdown",
        ),
        csv=("clocks_event_reasons.hw_thermal_slowdown", "clocks_throttle_reasons.hw_thermal_slowdown"),
    )
    hw_power_brake: Switch = told(
        switch,
        xml=(
            "clocks_event_reasons/clocks_event_reason_hw_power_brake_slowdown",
            "clocks_throttle_reasons/clocks_throttle_reason_hw_power_brake_slowdown",
        ),
        csv=("clocks_event_reasons.hw_power_brake_slowdown", "clocks_throttle_reasons.hw_power_brake_slowdown"),
    )
    sw_thermal: Switch = told(
        switch,
        xml=(
            "clocks_event_reasons/clocks_event_reason_sw_thermal_slowdown",
            "clocks_throttle_reasons/clocks_throttle_reason_sw_thermal_slowdown",
        ),
        csv=("clocks_event_reasons.sw_thermal_slowdown", "clocks_throttle_reasons.sw_thermal_slowdown"),
    )
    sw_power_cap: Switch = told(
        switch,
        xml=(
            "clocks_event_reasons/clocks_event_reason_sw_power_cap",
            "clocks_throttle_reasons/clocks_throttle_reason_sw_power_cap",
        ),
        csv=("clocks_event_reasons.sw_power_cap", "clocks_throttle_reasons.sw_power_cap"),
    )


@dataclass(frozen=True)
class Temperature:
    """Temperatures, and the limits of this GPU.

    Newer GPUs do not tell the limit itself: `limit_margin_c` is how far the GPU is from its target, and
    `slowdown_at_margin_c` at which margin it slows down.
    """

    gpu_c: Number = told(whole("C"), xml=("temperature/gpu_temp",), csv=("temperature.gpu",))
    memory_c: Number = told(whole("C"), xml=("temperature/memory_temp",), csv=("temperature.memory",))
    slowdown_c: Number = told(whole("C"), xml=("temperature/gpu_temp_slow_threshold",))
    memory_max_c: Number = told(whole("C"), xml=("temperature/gpu_temp_max_mem_threshold",))
    limit_margin_c: Number = told(whole("C"), xml=("temperature/gpu_temp_tlimit",), csv=("temperature.gpu.tlimit",))
    slowdown_at_margin_c: Number = told(whole("C"), xml=("temperature/gpu_temp_slow_tlimit_threshold",))

    @property
    def below_slowdown_c(self) -> Number:
        """Return how many degrees are left until the GPU slows itself down, by its own limit of either kind."""
        newer = _difference(self.limit_margin_c, self.slowdown_at_margin_c)
        return _difference(self.slowdown_c, self.gpu_c) if isinstance(newer, Unavailable) else newer

    @property
    def memory_below_max_c(self) -> Number:
        """Return how many degrees are left until the memory's limit."""
        return _difference(self.memory_max_c, self.memory_c)


@dataclass(frozen=True)
class Pcie:
    """The link to the host. It may fall back to an older generation while the GPU is idle, and never to fewer lanes."""

    generation: Number = told(
        count,
        xml=("pci/pci_gpu_link_info/pcie_gen/current_link_gen",),
        csv=("pcie.link.gen.current", "pcie.link.gen.gpucurrent"),
    )
    generation_max: Number = told(
        count, xml=("pci/pci_gpu_link_info/pcie_gen/max_link_gen",), csv=("pcie.link.gen.max",)
    )
    lanes: Number = told(
        link_lanes, xml=("pci/pci_gpu_link_info/link_widths/current_link_width",), csv=("pcie.link.width.current",)
    )
    lanes_max: Number = told(
        link_lanes, xml=("pci/pci_gpu_link_info/link_widths/max_link_width",), csv=("pcie.link.width.max",)
    )
    replays: Number = told(count, xml=("pci/replay_counter",))

    @property
    def lanes_missing(self) -> Number:
        """Return how many lanes of the link are not used."""
        return _difference(self.lanes_max, self.lanes)

    @property
    def generations_missing(self) -> Number:
        """Return how many generations the link is behind what GPU and host can do together."""
        return _difference(self.generation_max, self.generation)


@dataclass(frozen=True)
class Mig:
    """Division into instances; `devices` is how many there are."""

    enabled: Switch = told(switch, xml=("mig_mode/current_mig",), csv=("mig.mode.current",))
    enabled_after_reset: Switch = told(switch, xml=("mig_mode/pending_mig",), csv=("mig.mode.pending",))

    @property
    def change_pending(self) -> Switch:
        """Say whether the next reset divides the GPU, or ends that."""
        return _differ(self.enabled, self.enabled_after_reset)


@dataclass(frozen=True)
class MigDevice:
    """One instance of a divided GPU."""

    index: Number = told(count, xml=("index",))
    gpu_instance: Number = told(count, xml=("gpu_instance_id",))
    compute_instance: Number = told(count, xml=("compute_instance_id",))
    multiprocessors: Number = told(count, xml=("device_attributes/shared/multiprocessor_count",))
    memory_total_mib: Number = told(whole("MiB"), xml=("fb_memory_usage/total",))


@dataclass(frozen=True)
class Power:
    """Power draw and limits of the GPU alone."""

    draw_w: Decimal = told(
        decimal("W"),
        xml=(
            "gpu_power_readings/instant_power_draw",
            "gpu_power_readings/power_draw",
            "power_readings/power_draw",
        ),
        csv=("power.draw.instant", "power.draw"),
    )
    limit_w: Decimal = told(
        decimal("W"),
        xml=(
            "gpu_power_readings/current_power_limit",
            "power_readings/enforced_power_limit",
            "power_readings/power_limit",
        ),
        csv=("enforced.power.limit", "power.limit"),
    )
    default_limit_w: Decimal = told(
        decimal("W"),
        xml=("gpu_power_readings/default_power_limit", "power_readings/default_power_limit"),
        csv=("power.default_limit",),
    )


@dataclass(frozen=True)
class Fabric:
    """Membership in an NVLink fabric, which the fabric manager (or the subnet manager of a rack) grants."""

    state: Word = told(word, xml=("fabric/state",), csv=("fabric.state",))
    status: Word = told(word, xml=("fabric/status",), csv=("fabric.status",))
    health: Word = told(word, xml=("fabric/health/summary",), csv=("fabric.health.summary",))


@dataclass(frozen=True)
class Process:
    """A process that holds a context on a GPU; `kind` is C (compute), G (graphics) or both."""

    pid: Number = told(count, xml=("pid",), csv=("pid",))
    kind: Word = told(word, xml=("type",))
    name: Word = told(word, xml=("process_name",), csv=("process_name",))
    memory_used_mib: Number = told(whole("MiB"), xml=("used_memory",), csv=("used_gpu_memory",))


@dataclass(frozen=True)
class Gpu:
    """One GPU as its driver tells of it."""

    bus_id: str
    product: Word = told(word, xml=("product_name",), csv=("name",))
    architecture: Word = told(word, xml=("product_architecture",))
    uuid: Word = told(word, xml=("uuid",), csv=("uuid",))
    serial: Word = told(word, xml=("serial",), csv=("serial",))
    minor_number: Number = told(count, xml=("minor_number",))
    vbios: Word = told(word, xml=("vbios_version",), csv=("vbios_version",))
    gsp_firmware: Word = told(word, xml=("gsp_firmware_version",))
    # The checksum is in no XML: only --query-gpu tells it.
    inforom_checksum: Word = told(word, csv=("inforom.checksum_validation",))
    persistence: Switch = told(switch, xml=("persistence_mode",), csv=("persistence_mode",))
    accounting: Switch = told(switch, xml=("accounting_mode",), csv=("accounting.mode",), mig_hides=True)
    display_active: Switch = told(switch, xml=("display_active",), csv=("display_active",))
    compute_mode: Word = told(word, xml=("compute_mode",), csv=("compute_mode",))
    virtualization: Word = told(word, xml=("gpu_virtualization_mode/virtualization_mode",))
    recovery_action: Word = told(word, xml=("gpu_recovery_action",), csv=("gpu_recovery_action",))
    reset_required: Switch = told(
        switch, xml=("gpu_reset_status/reset_required",), csv=("reset_status.reset_required",)
    )
    drain_recommended: Switch = told(
        switch,
        xml=("gpu_reset_status/drain_and_reset_recommended",),
        csv=("reset_status.drain_and_reset_recommended",),
    )
    performance_state: Word = told(word, xml=("performance_state",), csv=("pstate",))
    utilization_percent: Number = told(
        whole("%"), xml=("utilization/gpu_util",), csv=("utilization.gpu",), mig_hides=True
    )
    memory_total_mib: Number = told(whole("MiB"), xml=("fb_memory_usage/total",), csv=("memory.total",))
    memory_used_mib: Number = told(whole("MiB"), xml=("fb_memory_usage/used",), csv=("memory.used",))
    protected_memory_mib: Number = told(
        whole("MiB"), xml=("cc_protected_memory_usage/total",), csv=("protected_memory.total",)
    )
    application_clock_mhz: Number = told(
        whole("MHz"), xml=("applications_clocks/graphics_clock",), csv=("clocks.applications.graphics",)
    )
    sm_clock_mhz: Number = told(whole("MHz"), xml=("clocks/sm_clock",), csv=("clocks.current.sm",))
    sm_clock_max_mhz: Number = told(whole("MHz"), xml=("max_clocks/sm_clock",), csv=("clocks.max.sm",))
    ecc: Ecc = part(Ecc)
    remapped_rows: RemappedRows = part(RemappedRows)
    retired_pages: RetiredPages = part(RetiredPages)
    clock_events: ClockEvents = part(ClockEvents)
    temperature: Temperature = part(Temperature)
    pcie: Pcie = part(Pcie)
    power: Power = part(Power)
    mig: Mig = part(Mig)
    fabric: Fabric = part(Fabric)
    mig_devices: tuple[MigDevice, ...] = field(default=())
    processes: tuple[Process, ...] = field(default=())

    @property
    def sharing(self) -> Word:
        """Return how the GPU is shared: its compute mode, or MIG when it is divided."""
        return "MIG" if self.mig.enabled is True else self.compute_mode

    @property
    def generations_missing_under_load(self) -> Number:
        """Return how many PCIe generations are missing, of a GPU that works; an idle one saves power on its link."""
        if isinstance(self.utilization_percent, Unavailable):
            return self.utilization_percent
        if self.utilization_percent < _BUSY_PERCENT:
            return Unavailable("idle", f"{self.utilization_percent} % busy")
        return self.pcie.generations_missing


@dataclass(frozen=True)
class SmiLog:
    """A whole answer of nvidia-smi; `dtd` is the version of its format, `notes` what it printed around it."""

    dtd: int
    driver: Word
    cuda: Word
    gpus: tuple[Gpu, ...]
    notes: tuple[str, ...] = ()


def _difference(of: Number, less: Number) -> Number:
    missing = first_missing(of, less)
    return missing or int(of) - int(less)  # type: ignore[arg-type]


def _differ(one: Switch, other: Switch) -> Switch:
    return first_missing(one, other) or one != other


def _worse(one: Number, other: Number) -> Number:
    return first_missing(one, other) or max(int(one), int(other))  # type: ignore[arg-type]
