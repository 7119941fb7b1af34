# Of what hvctl writes into <metadata>, where libvirt keeps one element of each namespace.
NAMESPACE = "urn:hvctl:domain:1.0"
LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
