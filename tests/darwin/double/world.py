"""What this host says of itself: a Mac that does not exist.

The product's version is the home host's, so that the program takes the same ways. Everything that names one machine or
one build is made up: no release has a build number that begins with a 0, no shared cache has this UUID, and the domain
`.invalid` has no hosts (RFC 2606).
"""

import struct

#: Known to the program too (`world::DOUBLE_BUILD`): a host of this build can be no world but `darwin-double`.
BUILD = "0D0000"
WORLD = "darwin-double"
HOST_NAME = b"darwin-double.invalid"
SHARED_CACHE_UUID = b"darwin-double---"
KERNEL_RELEASE = b"23.4.0"
KERNEL_VERSION = b"Darwin Kernel Version 23.4.0: emulated in user space; no kernel of Apple's"
VERSION = b"14.4.1"

UID, GID = 501, 20
DEVICE = 0x1000012
HOME = b"/Users/double"
TEMPORARY = b"/var/folders/dd/double/T/"

SYSCTL = {
    b"kern.osproductversion": VERSION + b"\0",
    b"kern.osversion": BUILD.encode() + b"\0",
    b"kern.ostype": b"Darwin\0",
    b"kern.osrelease": KERNEL_RELEASE + b"\0",
    b"kern.version": KERNEL_VERSION + b"\0",
    b"kern.hostname": HOST_NAME + b"\0",
    b"kern.hv_vmm_present": struct.pack("<i", 0),
    b"kern.maxproc": struct.pack("<i", 4000),
    b"kern.boottime": struct.pack("<qq", 1_700_000_000, 0),
    b"hw.ncpu": struct.pack("<i", 2),
    b"hw.logicalcpu": struct.pack("<i", 2),
    b"hw.memsize": struct.pack("<q", 8 << 30),
    b"hw.model": b"Double1,1\0",
    b"hw.machine": b"arm64\0",
    b"hw.pagesize": struct.pack("<q", 16384),
    b"machdep.cpu.brand_string": b"Unicorn\0",
}

#: Services that bootstrap_look_up finds.
SERVICES = {
    b"com.apple.cfprefsd.agent",
    b"com.apple.cfprefsd.daemon",
    b"com.apple.coreservices.launchservicesd",
    b"com.apple.distributed_notifications@Uv3",
    b"com.apple.distributed_notifications@1v3",
    b"com.apple.logd",
    b"com.apple.mobilegestalt.xpc",
    b"com.apple.pasteboard.1",
    b"com.apple.securityd.xpc",
    b"com.apple.SecurityServer",
    b"com.apple.system.logger",
    b"com.apple.system.notification_center",
    b"com.apple.system.opendirectoryd.libinfo",
    b"com.apple.system.opendirectoryd.membership",
    b"com.apple.trustd",
    b"com.apple.windowserver.active",
}

#: Classes of the I/O registry that are there.
CLASSES = {b"IOSurfaceRoot", b"IOPlatformExpertDevice", b"IOHIDSystem", b"IORegistryEntry", b"IOPMrootDomain", b"AppleAPFSContainer"}

PREFERENCES = {(b"com.apple.HIToolbox", b"AppleEnabledInputSources"), (b".GlobalPreferences", b"AppleLocale"),
               (b"com.apple.dock", b"orientation"), (b".GlobalPreferences", b"AppleLanguages")}  # fmt: skip
