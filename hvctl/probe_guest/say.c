/* The report: lines of a name and hexadecimal numbers, and at the end their count and CRC-32. */

#include "probe.h"

#define DEBUG_PORT 0x402

static u32 sum = ~0U;
static u32 lines;

static void put(u8 byte)
{
    out8(DEBUG_PORT, byte);
    sum ^= byte;
    for (int bit = 0; bit < 8; bit++)
        sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320 : 0);
}

void say(const char *name)
{
    while (*name)
        put(*name++);
}

void number(u64 value)
{
    int shift = 60;

    put(' ');
    while (shift && !(value >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
}

void number_or_fault(int ok, u64 value)
{
    if (ok)
        number(value);
    else
        say(" fault");
}

void end_line(void)
{
    put('\n');
    lines++;
}

/* The checksum is that of all lines before this one. */
void end_report(void)
{
    u32 all = ~sum;

    say("end");
    number(lines);
    number(all);
    put('\n');
}
