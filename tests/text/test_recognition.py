"""Kinds of files by their content."""

from __future__ import annotations

import time

import pytest

from hvctl.text.recognition import FileKind, MisplacedError, check_kind, kind_of


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<domain/>", FileKind.DOMAIN),
        (b"\n <!-- -cpu --><domain/>", FileKind.DOMAIN),
        (b"<?xml version='1.0'?>\n<!DOCTYPE domain [ <!ENTITY a 'b'> ]>\n<domain type='kvm'>", FileKind.DOMAIN),
        (b"<domainsnapshot>", FileKind.DOMAIN),
        ("<domain/>".encode("utf-16-be"), FileKind.DOMAIN),
        ("<domain/>".encode("utf-16"), FileKind.DOMAIN),
        (b"\xef\xbb\xbf<domain/>", FileKind.DOMAIN),
        (b"<network/>", FileKind.XML),
        (b"<!-- <domain/> --><pool/>", FileKind.XML),
        (b"<x:domain/>", FileKind.XML),
        (b"<", FileKind.XML),
        (b'{"format_version": 1,', FileKind.UNKNOWN),
        (b'{"format_version": 1, "findings": [', FileKind.OUTPUT),
        (b'{\n  "format_version": 1,\n  "hosts": 1,\n  "classes": [{"facts": {"kvm": {', FileKind.OUTPUT),
        (b"{", FileKind.UNKNOWN),
        (b'{"a": {"a": ', FileKind.UNKNOWN),
        (b"name: a\0", FileKind.PROFILE),
        (b'{"format_version": 1, "kind": "locked plan"', FileKind.PLAN),
        (b'{"kind":"measurement","format_version":1', FileKind.MEASUREMENT),
        (b'{"format_version": 1, "name": null, "kvm": {', FileKind.HOST),
        (b'{"format_version": 1, "hyperv": true, "host": {"format_version": 1, "kvm": {', FileKind.OUTPUT),
        (b'{"version": 1}', FileKind.PROFILE),
        (b"{version: 1}", FileKind.PROFILE),
        (b"# replaces -cpu host,hv_relaxed\nversion: 1\n", FileKind.PROFILE),
        (b"description: >\n  as -cpu max -machine pc\n", FileKind.PROFILE),
        (b"---\n# -cpu\nversion: 1\n", FileKind.PROFILE),
        (b"-cpu host", FileKind.COMMAND_LINE),
        (b"qemu\0-machine\0pc\0", FileKind.COMMAND_LINE),
        (b"sleep\x00999\0", FileKind.COMMAND_LINE),
        (b"qemu --cpu host", FileKind.COMMAND_LINE),
        (b"qemu '-M' pc", FileKind.COMMAND_LINE),
        (b"qemu -enable-kvm", FileKind.COMMAND_LINE),
        (b"#!/bin/sh\n# name: x\nexec qemu \\\n  -cpu host\n", FileKind.SHELL_SCRIPT),
        (b"#!/usr/bin/env bash\nset -e\n", FileKind.SHELL_SCRIPT),
        (b"@echo off\r\nqemu -cpu host\r\n", FileKind.BATCH_SCRIPT),
        (b"qemu.exe ^\r\n -cpu host\r\n", FileKind.BATCH_SCRIPT),
        (b"# ours\nselect = ['slow']\n", FileKind.CONFIG),
        (b"[tool.hvctl.lint]\n", FileKind.CONFIG),
        (b"host,hv_relaxed", FileKind.CPU),
        (b"# ours\ncores: 2\ncpu: host\nWhat?\n\n[PENDING]\n", FileKind.PROXMOX),
        (b"memory: 2\r\nostype: l26\r\n", FileKind.PROXMOX),
        (b"args: -cpu host\nmemory: 2\n", FileKind.PROXMOX),
        (b"cores: 2\nhostname: a\nmemory: 2\nostype: debian\n", FileKind.PROFILE),
        (b"version: 1\nname: a\nmachine: pc\nmemory: 1\n", FileKind.PROFILE),
        (b"kind: VirtualMachine\nmemory: 1\ncores: 1\n", FileKind.PROFILE),
        (b"cpu: host\nmachine: q35\nname: a\n", FileKind.PROFILE),
        (b"cpu:\n  cores: 1\nmemory: 1\ncores: 1\n", FileKind.PROFILE),
        (b"just a text", FileKind.UNKNOWN),
        (b"", FileKind.UNKNOWN),
        (b"\xff", FileKind.UNKNOWN),
    ],
)
def test_kinds(content: bytes, kind: FileKind) -> None:
    assert kind_of(content) is kind


@pytest.mark.parametrize(
    "part",
    [b"<!-- -->", b"<!DOCTYPE a []>", b"<!DOCTYPE a [", b"<!--", b"# \n", b"[", b"a,", b"{", b'{"kind": ', b'"kvm" '],
)
def test_hostile_texts_take_no_time(part: bytes) -> None:
    start = time.process_time()
    for end in (b"", b"<", b"\0", b"=", b" "):
        kind_of(b"<?a?>" + part * 100_000 + end)
        kind_of(part * 100_000 + end)
        kind_of(b"{" + part * 100_000 + end)
    assert time.process_time() - start < 5


def test_a_hint_can_be_pasted_whatever_the_path() -> None:
    with pytest.raises(MisplacedError) as caught:
        check_kind("<domain/>", "/a b/{it's}", FileKind.PROFILE)
    (problem,) = caught.value.problems
    assert problem.message == "/a b/{it's} is a domain, not a profile"
    assert """hvctl gen windows-11 --domain '/a b/{it'"'"'s}'""" in problem.hint
    with pytest.raises(MisplacedError) as caught:
        check_kind("<domain/>", "<stdin>", FileKind.PROFILE)
    assert "--domain -`" in caught.value.problems[0].hint


@pytest.mark.parametrize("wanted", [FileKind.PROFILE, FileKind.DOMAIN, FileKind.HOST])
def test_what_is_unknown_or_right_is_left_to_its_reader(wanted: FileKind) -> None:
    check_kind("just a text", "x", wanted)
    check_kind(
        {"a profile": "version: 1", "a domain": "<domain", "a host file": '{"format_version": 1, "kvm": {}'}[wanted],
        "x",
        wanted,
    )
