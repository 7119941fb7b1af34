"""The command lines that hostile runs are made of, and the words and paths that nobody expects in them."""

from __future__ import annotations

TEMPLATES = tuple(
    line.strip()
    for line in """
        check-host {profile}
        check-host {profile} @profile --no-qemu --format json
        check-host --no-qemu --root root --format json
        check-host --no-qemu --root root --record >host.json --name %
        check-host --raw {record}
        check-host --raw {record} {profile} --format json
        check-host --raw {record} --record >host.json --name %
        collector -o >collect
        check-host --qemu % --color %
        check-host --connect test://{libvirt} --timeout 2
        check-host --no-qemu --root root --domcapabilities % --format nfd -o >features
        check-host --no-qemu --root root --format nodefeature --name % --nfd-group %
        check-host
        gen {profile} --host @host
        gen {profile} --host @host --libvirt --explain
        gen {profile} --host @host --both --lock >plan.json
        gen {profile} --host @host --libvirt --fragment
        gen {profile} --host @host --libvirt --metadata -o >out.xml
        gen {profile} --qemu-binary %
        gen windows-11 --host {host} --qemu
        gen windows-11 --host {host} --libvirt --format json
        gen windows-11 --host @host --host {host} --explain
        gen windows-11 --host {record} --format json
        gen windows-11 --host @host --machine % --name % --libvirt
        gen windows-11 --host @host --memory % --libvirt
        gen windows-11 --host @host --vcpus % --libvirt
        gen windows-11 --host @host --uses %
        gen {profile} --host @host --for kubevirt --kind % --select % --timezone %
        gen windows-11 --host {host} --for kubevirt --crd %
        gen windows-11 --host @host --for kubevirt --into % --diff
        gen {profile} --host @host --for proxmox --how args --machine % -o >out
        gen windows-11 --host {host} --for proxmox --ostype % --bios % --vmid % --how %
        gen {profile} --host @host --for nova --select traits --machine %
        gen {profile} --host @host --for packer --uses %
        gen {profile} --host {host} --for vagrant --format json -o >out
        check-host --no-qemu --root root --format nova-provider --name % -o >provider.yaml
        gen --locked {plan} --host @host
        gen --locked {plan} --host @host --libvirt
        gen --locked {plan} --host @host -0 -o >out
        gen --locked @plan --host {host}
        gen windows-11 --host @host --domain {domain}
        gen windows-11 --host @host --domain {domain} --diff
        gen windows-11 --host @host --domain {domain} --in-place
        gen minimal --host @host --domain {domain} --keep-others --metadata -o >out.xml
        gen windows-11 --host @host --domain {domain} --qemu-commandline --force
        gen {profile} --host @host --domain @domain --in-place
        check-migration {guest} --from @host --to @host
        check-migration {guest} --from @host --to @host --format json --all-names
        check-migration @domain --from {host} --to @host
        check-migration @domain --from @host --to {host} --to @host
        check-migration @domain --from @host --to @host --incoming {guest}
        check-migration test://{libvirt}#test --from @host --to @host
        check-migration % --from @host --to @host
        apply {profile} test --connect test:///default --host @host --force --dry-run
        apply windows-11 test --connect test:///default --host {host} --force --yes
        apply windows-11 test --connect test://{libvirt} --host @host --force --yes --metadata
        apply windows-11 test --connect test://{libvirt} --keep-others --qemu-commandline --dry-run --host @host
        apply windows-11 % --connect test:///default --yes
        apply --undo test --connect test:///default --yes --timeout 5
        apply --undo test --connect test:///default --dry-run
        show --connect test://{libvirt}
        show --connect test://{libvirt} --format json --inactive
        show % --connect % --timeout %
        launch {profile} --dry-run
        launch --locked {plan} --dry-run -- -m 1G
        launch windows-11 --also-host {host} --dry-run --name %
        launch windows-11 --dry-run --qemu % -- {words}
        launch windows-11 --connect test:///default --domain {domain} --dry-run --keep-others --qemu-commandline
        launch {profile} --connect test://{libvirt} --domain test --dry-run --timeout 2
        launch windows-11 --exec --qemu %
        verify --dry-run --host @host {profile}
        verify --dry-run --host {host} windows-11 --format json
        verify --dry-run --host @host --locked {plan}
        verify --dry-run --host @host --domain {domain}
        verify --dry-run --host @host --format json -- {words}
        verify --dry-run --host @host windows-11 --vcpus % --accel % --qemu % --timeout %
        verify --dry-run --host @host windows-11 -- {words}
        verify windows-11 --also-host {host} --qemu /bin/false
        verify --domain {domain} --qemu /bin/false --accel tcg
        verify windows-11 --connect test:///default
        bench {profile} --qemu /bin/false --runs % --set %
        bench --compare {bench} --qemu /bin/false --only % --vcpus % -o >out
        convert {guest}
        convert {guest} --to qemu
        convert {guest} --to libvirt --strict
        convert {guest} --to profile
        convert {guest} --to json
        convert {guest} --to libvirt -o >out.xml
        convert {guest} --to qemu --host {host}
        convert {words}
        convert %
        lint {domain} --no-config
        lint {domain} --no-config --host @host --profile windows-11
        lint {domain} --no-config --fix
        lint {domain} --no-config --unsafe-fixes
        lint {domain} --no-config --diff
        lint {domain} --no-config --format json
        lint {domain} --no-config --format sarif -o >out.sarif
        lint {domain} --no-config --format junit
        lint {domain} --no-config --format github --stdin-filename %
        lint {domain} {command} {domain} @domain --no-config --jobs 2 --format concise
        lint {command} --no-config --qemu-args
        lint {command} --no-config --qemu-args --fix
        lint {command} --no-config --qemu-args --unsafe-fixes --format json
        lint {command} --no-config --host @host
        lint {proxmox} {proxmox} --no-config --host @host
        lint {proxmox} --no-config --unsafe-fixes
        lint {kubevirt} {kubevirt} @kubevirt --no-config --host @host
        lint {kubevirt} --no-config --unsafe-fixes
        lint {kubevirt} --no-config --diff
        lint --running --no-config --format json
        lint --running %
        show --running --format json
        show --running %
        show {proxmox} @proxmox
        show {proxmox} --format json
        show {kubevirt} @kubevirt
        gen windows-11 --host @host --for kubevirt --into {kubevirt} --diff
        gen {profile} --host @host --for kubevirt --into {kubevirt} --in-place
        gen windows-11 --host @host --for kubevirt --into @kubevirt --keep-others --timezone %
        gen windows-11 --host {host} --for kubevirt --crd {crd} --kind preference
        gen {profile} --host @host --for kubevirt --kind vm --select nfd --format json
        check-host --no-qemu --domcapabilities {domain} --format nodefeature --name % -o >out
        check-host --no-qemu --format nodefeature --name node-1 --nfd-group nfd.openshift.io
        lint @domain --no-config --host {host} --fail-on never
        lint @domain --no-config --profile {profile}
        lint @domain --config {config} --fail-on info
        lint @domain --config {config} --format json
        lint @domain --config {project}
        lint . --fix
        lint . --format sarif
        lint @domain --no-config --select % --ignore %
        lint --connect test://{libvirt} --no-config --format json
        lint --list-rules --config {config}
        diagnose {guest}
        diagnose {log}
        diagnose {log} --format json
        explain %
        explain % --format json
        profile check {profile}
        profile check {profile} {profile} @profile
        profile show {profile}
        profile list --format json
        schema %
        pool {host}
        pool {record} @record {record} @host --all-names
        pool {host} @host --format json --all-names
        pool {host} @host {host} --without %
        pool hosts --format html -o >pool.html
        % --host @host
    """.strip().splitlines()
)
"""In them `{kind}` is a hostile input, `{guest}` one of several kinds, `{words}` the words of a hostile command line,
`@kind` a good input, `>name` a file that may be written, and `%` one of WORDS, or a worse one."""

WORDS = (
    *(
        "",
        "-",
        "--",
        "-0",
        "--help",
        "-h",
        "--version",
        "\x1b[31m",
        "\u202e",
        "\udc9b",
        "\udcff\udcfe",
        "\x7f",
        "\n",
        "é",
    ),
    *("9" * 5000, "-1", "0", "1e999", "nan", "inf", "0x10", "a" * 100_000, "pc-q35-" + "9" * 5000, "pc-q35-7.2", "q35"),
    *("/", ".", "..", "/dev/zero", "/dev/null", "/dev/full", "/proc/self/mem", "/proc/kmsg", "/proc/self/fd/0"),
    *(
        "../../../etc/passwd",
        "/etc/shadow",
        "/nonexistent/x",
        "~",
        "$HOME",
        "%s%n",
        "{0}",
        "{{x}}",
        "a,b",
        "x#y",
        "://#",
    ),
    *("host,hv_relaxed,hv_spinlocks=0x1fff", "host,hv_\x1b", "relaxed", "hv-stimer", "hpet-on", "all", "tcg", "kvm"),
    *("windows-11", "minimal", "test", "profile", "lint", "qemu:///nosuch", "bogus://x/y", "test:///nosuch", "1", "2"),
    *("clock,ipi", "text", "json", "always", "/bin/false", "/bin/cat", "/usr/bin/yes", "/usr/bin/env", "gen"),
)

SPECIAL = (
    *("/dev/zero", "/dev/null", "/dev/full", "/dev/tty", "/dev/random", "/proc/self/mem", "/proc/self/environ"),
    *(
        "/proc/kmsg",
        "/sys/kernel/debug/tracing/trace_pipe",
        "fifo",
        "dangling",
        "loop",
        "socket",
        "directory",
        "nowhere",
    ),
    *("/proc/self/fd/0", "/dev/fd/99", "/dev/stdin", "/dev/stdout", "cwd\0", "", "home/../../cwd/fifo"),
)
"""Paths of what is no file, some of which a run makes in its directory."""
