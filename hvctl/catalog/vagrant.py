"""vagrant-libvirt: what a Vagrantfile can say. Read in vagrant-libvirt/vagrant-libvirt 0.11.2."""

from hvctl.catalog import ROWS
from hvctl.catalog.placement import ClockTimer, HypervElement

# lib/vagrant-libvirt/config.rb, hyperv_feature(), and lib/vagrant-libvirt/templates/domain.xml.erb: of a feature it
# writes the state, and of this one also the retries; it has nothing inside a feature, no mode and no panic device.
WITH_VALUE = "spinlocks"
"""The only feature that can have a value."""

FEATURES = {
    row.id: row.libvirt.name
    for row in ROWS
    if isinstance(row.libvirt, HypervElement)
    and not row.libvirt.inside
    and (not row.libvirt.attribute or row.id == WITH_VALUE)
}
"""The names in hyperv_feature, by the rows' ids."""

TIMERS = {row.id: row.libvirt.name for row in ROWS if isinstance(row.libvirt, ClockTimer)}
"""The names in clock_timer, by the rows' ids."""
