/* What programs for the LEON boards share: output, checks, exit. */
#ifndef GUEST_SPARC_H
#define GUEST_SPARC_H

typedef unsigned int u32;
typedef unsigned long long u64;

void put_char(char c);
void print(const char *text);
void print_hex(u32 value);
void guest_exit(int code) __attribute__((noreturn));
/* Fails the program with a text if the two are not equal. */
void check(const char *what, u32 got, u32 expected);
/* Called by start.S: gives 0 to run the instruction again, 1 to skip it. */
u32 trap_handler(u32 tt, u32 pc, u32 npc);

#endif
