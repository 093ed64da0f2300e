/* Platform files: each form of the grammar against the printed tree, each mistake against its message, `using`. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "load/repl.h"

/* ---- The tree as text ------------------------------------------------------------------------------------------- */

typedef struct Text {
    char chars[4096];
    size_t len;
} Text;

static void add(Text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(Text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->chars + t->len, sizeof t->chars - t->len, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof t->chars - t->len);
    t->len += (size_t)n;
}

static void add_attrs(Text *t, const ReplAttr *attr);

static void add_value(Text *t, const ReplValue *v) {
    switch (v->kind) {
    case REPL_NONE:
    case REPL_EMPTY:
        add(t, v->kind == REPL_NONE ? "none" : "empty");
        break;
    case REPL_NUMBER:
        add(t, "%s%llu%s", v->negative ? "-" : "", (unsigned long long)v->number, v->fraction ? "~" : "");
        break;
    case REPL_STRING:
        add(t, "\"%s\"", v->text);
        break;
    case REPL_BOOL:
        add(t, v->truth ? "yes" : "no");
        break;
    case REPL_ENUM:
    case REPL_REF:
        add(t, v->kind == REPL_ENUM ? "enum %s" : "&%s", v->text);
        break;
    case REPL_RANGE:
        add(t, "<%llx+%llx>", (unsigned long long)v->number, (unsigned long long)v->size);
        break;
    case REPL_LIST:
        add(t, "[");
        for (const ReplValue *i = v->items; i; i = i->next) {
            add_value(t, i);
            add(t, i->next ? "," : "");
        }
        add(t, "]");
        break;
    case REPL_DICT:
        add(t, "{");
        for (const ReplPair *p = v->pairs; p; p = p->next) {
            add_value(t, p->key);
            add(t, "=");
            add_value(t, p->value);
            add(t, p->next ? "," : "");
        }
        add(t, "}");
        break;
    case REPL_OBJECT:
        add(t, "new %s", v->text);
        add_attrs(t, v->attrs);
        break;
    }
}

static void add_ends(Text *t, const ReplIrqEnd *ends) {
    for (const ReplIrqEnd *e = ends; e; e = e->next) {
        if (e->name) {
            add(t, "%s", e->name);
        } else {
            add(t, e->first == e->last ? "%u" : "%u-%u", e->first, e->last);
        }
        add(t, e->next ? "," : "");
    }
}

static void add_irq(Text *t, const ReplAttr *attr) {
    add_ends(t, attr->sources);
    add(t, "->");
    for (const ReplIrqDest *d = attr->dests; d; d = d->next) {
        add(t, "%s", d->device ? d->device : "none");
        if (d->has_local) {
            add(t, "#%u", d->local);
        }
        if (d->device) {
            add(t, "@");
        }
        add_ends(t, d->ends);
        add(t, d->next ? "|" : "");
    }
}

static void add_attrs(Text *t, const ReplAttr *attr) {
    static const char *const sections[] = {
        [REPL_ATTR_PREINIT] = "preinit", [REPL_ATTR_INIT] = "init", [REPL_ATTR_RESET] = "reset"};
    if (!attr) {
        return;
    }
    add(t, "(");
    for (; attr; attr = attr->next) {
        if (attr->kind == REPL_ATTR_PROPERTY) {
            add(t, "%s=", attr->name);
            add_value(t, attr->value);
        } else if (attr->kind == REPL_ATTR_IRQ) {
            add_irq(t, attr);
        } else {
            add(t, "%s%s", sections[attr->kind], attr->add ? "+" : "");
            for (const ReplStatement *s = attr->statements; s; s = s->next) {
                add(t, "/%s", s->text);
            }
        }
        add(t, attr->next ? " " : "");
    }
    add(t, ")");
}

static void add_entry(Text *t, const ReplEntry *e) {
    add(t, "%s%s:%s", e->local ? "local " : "", e->name, e->type ? e->type : "");
    for (const ReplReg *r = e->regs; r; r = r->next) {
        add(t, "@%s", r->parent ? r->parent : "none");
        if (r->value) {
            add(t, " ");
            add_value(t, r->value);
        }
    }
    if (e->alias) {
        add(t, " as %s", e->alias);
    }
    add_attrs(t, e->attrs);
    add(t, "\n");
}

static void add_file(Text *t, const ReplFile *file) {
    for (const ReplUsing *u = file->usings; u; u = u->next) {
        add(t, u->prefix[0] ? "using %s %s\n" : "using %s%s\n", u->path, u->prefix);
    }
    for (const ReplEntry *e = file->entries; e; e = e->next) {
        add_entry(t, e);
    }
}

/* ---- Grammar ---------------------------------------------------------------------------------------------------- */

typedef struct Case {
    const char *in, *out;
} Case;

static const Case grammar[] = {
    {"", ""},
    {"\n  \n// nothing\n/* nor\n here */\n", ""},
    {"\xef\xbb\xbf"
     "a: T",
     "a:T\n"},
    /* Entries and registrations. */
    {"uart: UART.X @ sysbus 0x4000_1000", "uart:UART.X@sysbus 1073745920\n"},
    {"egu0 : A.B.C @ sysbus", "egu0:A.B.C@sysbus\n"},
    {"a: T @ none", "a:T@none\n"},
    {"a: T @ sysbus <0x400000, +0x1000>", "a:T@sysbus <400000+1000>\n"},
    {"a: T @ sysbus <0x10, 0x30>", "a:T@sysbus <10+20>\n"},
    {"a: T @ sysbus <0xffffffffffffffff, +1>", "a:T@sysbus <ffffffffffffffff+1>\n"},
    {"a: T @ { sysbus 0x0; sysbus <0x400000, +0x1000> }", "a:T@sysbus 0@sysbus <400000+1000>\n"},
    {"a: T @ {\n        sysbus 0;\n        ctl;\n    }\n    size: 1", "a:T@sysbus 0@ctl(size=1)\n"},
    {"a: T @\n    sysbus 1\n    bus 2\n", "a:T@sysbus 1@bus 2\n"},
    {"a: T @ sysbus new Bus.BusPointRegistration { address: 4; cpu: cpu0 }",
     "a:T@sysbus new Bus.BusPointRegistration(address=4 cpu=&cpu0)\n"},
    {"a: T @ { sysbus new Bus.BusMultiRegistration { address: 1; size: 2; region: \"x\" }; i2c 0x1d }",
     "a:T@sysbus new Bus.BusMultiRegistration(address=1 size=2 region=\"x\")@i2c 29\n"},
    {"a: T @ xrdc [1, 2] { b: 1 }", "a:T@xrdc [1,2](b=1)\n"},
    {"a: T @ bus .Left", "a:T@bus enum Left\n"},
    {"a: T @ bus \"name\" as \"alias\"", "a:T@bus \"name\" as alias\n"},
    {"a: T @ sysbus 1 as \"x\" { b: 1 }", "a:T@sysbus 1 as x(b=1)\n"},
    {"local a: T", "local a:T\n"},
    {"a: T; b: U;; c: V;", "a:T\nb:U\nc:V\n"},
    {"a:\n    b: 1", "a:(b=1)\n"},
    {"a: @ none", "a:@none\n"},
    {"a: T {}", "a:T\n"},
    {"a: { b: 1 }; a: T; a: @ none; a: { -> none }", "a:(b=1)\na:T\na:@none\na:(->none)\n"},
    {"Empty1: T { None_: noneSuch; asX: news }", "Empty1:T(None_=&noneSuch asX=&news)\n"},
    /* Both layouts. */
    {"a: T\n    b: 1\n    c: 2\nd: U\n", "a:T(b=1 c=2)\nd:U\n"},
    {"a: T { b: 1; c: 2 }; d: U", "a:T(b=1 c=2)\nd:U\n"},
    {"a: T {\n  b: 1;\n      c: 2;\n}\nd: U\r\n", "a:T(b=1 c=2)\nd:U\n"},
    {"a: T\n\n    b: new U\n        c: new V\n            d: 1\n\n        e: 2\n    f: 3\ng: W",
     "a:T(b=new U(c=new V(d=1) e=2) f=3)\ng:W\n"},
    {"a: T // one\n    b: 1 /* two */\n    /* three */\n    c: 2 /* four\n five */\n    d: 3", "a:T(b=1 c=2 d=3)\n"},
    {"a: T { /* x */ b: 1 /* y\n z */; c: 2 }", "a:T(b=1 c=2)\n"},
    /* Values. */
    {"a: T { b: 0x1F_ff; c: 1_000; d: -5; e: 1.65; f: -0x10 }", "a:T(b=8191 c=1000 d=-5 e=1~ f=-16)\n"},
    {"a: T { b: 18446744073709551615 }", "a:T(b=18446744073709551615)\n"},
    {"a: T { b: \"x // \\\"y\\\" \\\\ {\" }", "a:T(b=\"x // \"y\" \\ {\")\n"},
    {"a: T\n    s: '''\nif x:\n  y = \"a\" // \\''' {\n'''\n    t: 1",
     "a:T(s=\"\nif x:\n  y = \"a\" // ''' {\n\" t=1)\n"},
    {"a: T { b: true; c: True; d: false; e: False }", "a:T(b=yes c=yes d=no e=no)\n"},
    {"a: T { b: Enum.Value; c: A.B.C; d: .V; e: other }", "a:T(b=enum Enum.Value c=enum A.B.C d=enum V e=&other)\n"},
    {"a: T { b: none; c: empty; d: [1, \"x\", empty, r,]; e: []; f: <1, 3> }",
     "a:T(b=none c=empty d=[1,\"x\",empty,&r] e=[] f=<1+2>)\n"},
    {"a: T { b: {\"x\": 1; 2: [3];}; c: {} }", "a:T(b={\"x\"=1,2=[3]} c={})\n"},
    {"a: T { b: new N.U { c: 1; -> d@2 }; e: new V }", "a:T(b=new N.U(c=1 ->d@2) e=new V)\n"},
    /* Interrupts. */
    {"a: T\n    IRQ -> nvic@38\n    -> nvic@2\n    0 -> x@0x3\n    -> none\n    TX->n@1",
     "a:T(IRQ->nvic@38 ->nvic@2 0->x@3 ->none TX->n@1)\n"},
    {"a: T { [0-3] -> x@[4-7]; [0, 2-3] -> x@[9-7]; 0-1 -> x@2-3 }", "a:T(0-3->x@4-7 0,2-3->x@9-7 0-1->x@2-3)\n"},
    {"a: T { 1 -> x@0 | y#2@1 | z@2; [A, B, 1] -> x#0@[1, 2-3]; A -> none }",
     "a:T(1->x@0|y#2@1|z@2 A,B,1->x#0@1,2-3 A->none)\n"},
    {"a: T { [A, 0-1] -> none; 2-3 -> none; TX -> x@0x10; [0x1-3] -> x@[0x4, 5-6] }",
     "a:T(A,0-1->none 2-3->none TX->x@16 1-3->x@4,5-6)\n"},
    /* Sections. */
    {"sysbus:\n    init:\n        Tag <0, 3> \"A\" 0x1 # x\n        ApplySVD @https://a.b/c // d\n\n    b: 1",
     "sysbus:(init/Tag <0, 3> \"A\" 0x1 # x/ApplySVD @https://a.b/c b=1)\n"},
    {"sysbus:\n    init add:\n        Log \"a;{}// \\\" b\"\n        X /* y */ z\n    reset:\n        R\na: T",
     "sysbus:(init+/Log \"a;{}// \\\" b\"/X  z reset/R)\na:T\n"},
    {"a: { preinit: { X 1;\n Y\n 2; }; reset add: {} }", "a:(preinit/X 1/Y  2 reset+)\n"},
    {"a:\n    init:\n        X; Y; // z\n        Z\n", "a:(init/X/Y/Z)\n"},
    /* Files. */
    {"using \"a.repl\"\nusing \"./b.repl\" prefixed \"p_\"\n\na: T", "using a.repl\nusing ./b.repl p_\na:T\n"},
    {"using \"a\"; using \"b\"", "using a\nusing b\n"},
};

static void test_grammar(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
        Arena arena = {0};
        Err err = {0};
        Text text = {.len = 0};
        const ReplFile *file = repl_parse(&arena, "f", grammar[i].in, strlen(grammar[i].in), &err);
        if (!file) {
            fail_msg("case %zu: %s", i, err.text);
        } else {
            add_file(&text, file);
            assert_string_equal(text.chars, grammar[i].out);
        }
        arena_free(&arena);
    }
}

static void test_positions(void **state) {
    (void)state;
    static const char in[] = "using \"x\"\na: T @ sysbus 0\n    b: [1]\n    c: '2'\n";
    static const char good[] = "// c\na: T @ { sysbus 0;\n  bus 1 }\n    b: new U { c: 7 }\n    [3, X] -> n@[1-2]\n";
    Arena arena = {0};
    Err err = {0};
    assert_null(repl_parse(&arena, "dir/f.repl", in, sizeof in - 1, &err));
    assert_string_equal(err.text, "dir/f.repl:4:8: expected a name, a number or a mark, found '''");
    const ReplFile *file = repl_parse(&arena, "f", good, sizeof good - 1, &err);
    assert_non_null(file);
    const ReplEntry *e = file->entries;
    const ReplAttr *b = e->attrs, *irq = b->next;
    const struct {
        ReplPos pos;
        unsigned line, col;
    } wanted[] = {
        {e->pos, 2, 1},
        {e->type_pos, 2, 4},
        {e->regs->pos, 2, 10},
        {e->regs->value->pos, 2, 17},
        {e->regs->next->pos, 3, 3},
        {b->pos, 4, 5},
        {b->value->pos, 4, 8},
        {b->value->attrs->value->pos, 4, 19},
        {irq->pos, 5, 5},
        {irq->sources->pos, 5, 6},
        {irq->sources->next->pos, 5, 9},
        {irq->dests->pos, 5, 15},
        {irq->dests->ends->pos, 5, 18},
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_string_equal(wanted[i].pos.file, "f");
        assert_int_equal(wanted[i].pos.line, wanted[i].line);
        assert_int_equal(wanted[i].pos.col, wanted[i].col);
    }
    arena_free(&arena);
}

/* ---- Mistakes --------------------------------------------------------------------------------------------------- */

static const Case mistakes[] = {
    /* Characters and lines. */
    {"a: T\n  b: 1", "2:3: expected an indentation by a multiple of 4 spaces, found 2"},
    {"    a: T", "1:5: expected the first line without indentation"},
    {"a: T\n        b: 1", "2:9: expected an indentation by at most 4 spaces, found 8"},
    {"a: T\n\tb: 1", "2:1: expected spaces as indentation, found another character"},
    {"a: T /* x\n y */ { b: 1 }", "2:7: expected the end of the line after this comment"},
    {"a: T\n/* x */ b: U", "2:9: expected the end of the line after this comment"},
    {"a: T /* x", "1:6: expected '*/' for the comment that begins here, found the end of the file"},
    {"a: T $", "1:6: expected a name, a number or a mark, found '$'"},
    {"a: T \xc3\xa4", "1:6: expected a name, a number or a mark, found byte 0xc3"},
    {"a: T\n}", "2:1: expected no '}': no '{' is open here"},
    {"a: T { b: 0x }", "1:11: expected a number of at most 64 bits, found '0x'"},
    {"a: T { b: 18446744073709551616 }", "1:11: expected a number of at most 64 bits, found '18446744073709551616'"},
    {"a: T { b: 1__0 }", "1:11: expected a number of at most 64 bits, found '1__0'"},
    {"a: T { b: \"x\n\" }", "1:11: expected '\"' before the end of the line, to end this string"},
    {"a: T { b: \"x\\n\" }", "1:13: expected '\"' or '\\' after a backslash in a string"},
    {"a: T { b: '''x }", "1:11: expected ''' to end the string that begins here, found the end of the file"},
    /* Entries. */
    {"a", "1:2: expected ':' after the name of an entry, found the end of the file"},
    {"a:", "1:3: expected a type, a registration or attributes of this entry, found the end of the file"},
    {"a:\nb: T", "2:1: expected a type, a registration or attributes of this entry, found the end of the line"},
    {"7: T", "1:1: expected the name of an entry, found '7'"},
    {"new: T", "1:1: expected the name of an entry, found 'new'"},
    {"empty: T", "1:1: expected the name of an entry, found 'empty'"},
    {"a: empty", "1:4: expected a type, a registration or attributes of this entry, found 'empty'"},
    {"a: T @ empty", "1:8: expected the parent of the registration, such as sysbus, found 'empty'"},
    {"a: T { empty: 1 }", "1:8: expected an attribute, found 'empty'"},
    {"using empty", "1:7: expected the path of a platform file, a string, found 'empty'"},
    {"a: T { b: {1: none} }", "1:15: expected a value, found 'none'"},
    {"a: T @ sysbus none", "1:15: expected the end of the line or ';' after an entry, found 'none'"},
    {"a: T { b: \'\'\'x\'\'\' y }", "1:19: expected ';' or '}' after an attribute, found 'y'"},
    {"a: T { b: {1: 2 }", "1:18: expected ';' or '}' after an attribute, found the end of the file"},
    {"a: T { b: {1: 2, 3: 4} }", "1:16: expected ';' or '}' in a dictionary, found ','"},
    {"local local: T", "1:7: expected the name of an entry, found 'local'"},
    {"a: T U", "1:6: expected the end of the line or ';' after an entry, found 'U'"},
    {"a: T.", "1:6: expected a name after '.', found the end of the file"},
    {"a: T @", "1:7: expected the parent of the registration, such as sysbus, found the end of the file"},
    {"a: T @ { sysbus 0 1 }", "1:19: expected ';' or '}' after a registration, found '1'"},
    {"a: T @ { }", "1:10: expected the parent of the registration, such as sysbus, found '}'"},
    {"a: T @ sysbus 0 as b", "1:20: expected a string after 'as', found 'b'"},
    {"a: T as \"b\"", "1:6: expected a registration before an alias, found 'as'"},
    {"a: T @ none as \"b\"", "1:13: expected a registration before an alias, found 'as'"},
    {"a: T\nusing \"b\"", "2:1: expected an entry: every 'using' stands before the first entry, found 'using'"},
    {"using b", "1:7: expected the path of a platform file, a string, found 'b'"},
    {"using \"\"", "1:7: expected the path of a platform file, found an empty string"},
    {"using \"a\" b", "1:11: expected the end of the line, found 'b'"},
    {"using \"a\" prefixed b", "1:20: expected a string after 'prefixed', found 'b'"},
    {"using '''a'''", "1:7: expected the path of a platform file, a string, found a string of several lines"},
    /* Attributes and values. */
    {"a: T\n    b", "2:6: expected ':' or '->', found less indentation"},
    {"a: T\n    b: 1 c: 2", "2:10: expected the end of the line, found 'c'"},
    {"a: T { b: 1 c: 2 }", "1:13: expected ';' or '}' after an attribute, found 'c'"},
    {"a: T { b: 1", "1:12: expected ';' or '}' after an attribute, found the end of the file"},
    {"a: T { : }", "1:8: expected an attribute, found ':'"},
    {"a: T { b: }", "1:11: expected a value, found '}'"},
    {"a: T { b: ;", "1:11: expected a value, found ';'"},
    {"a: T\n    b:\n    c: 1", "3:5: expected a value, found the end of the line"},
    {"a: T { b: - }", "1:13: expected a number after '-', found '}'"},
    {"a: T { b: <1 2> }", "1:14: expected ',' in a range, found '2'"},
    {"a: T { b: <x, 2> }", "1:12: expected the first address of a range, found 'x'"},
    {"a: T { b: <1, +> }", "1:16: expected the size of a range, found '>'"},
    {"a: T { b: <1, x> }", "1:15: expected the end of a range, found 'x'"},
    {"a: T { b: <1, 2 }", "1:17: expected '>' at the end of a range, found '}'"},
    {"a: T { b: <2, 1> }", "1:15: expected an end of the range that is not before its begin"},
    {"a: T { b: <0xffffffffffffffff, +2> }", "1:32: expected a range that ends within 64 bits of address"},
    {"a: T { b: [1 2] }", "1:14: expected ',' or ']' in a list, found '2'"},
    {"a: T { b: [none] }", "1:12: expected a value, found 'none'"},
    {"a: T { b: {1 2} }", "1:14: expected ':' after a key of a dictionary, found '2'"},
    {"a: T { b: {[1]: 2} }", "1:12: expected a simple value as key of a dictionary"},
    {"a: T { b: {1: 2 3: 4} }", "1:17: expected ';' or '}' in a dictionary, found '3'"},
    {"a: T { b: new }", "1:15: expected a type after 'new', found '}'"},
    {"a: T { b: .7 }", "1:12: expected a name after '.', found '7'"},
    /* Interrupts. */
    {"a: T { 0 x@1 }", "1:10: expected '->', found 'x'"},
    {"a: T { -> }", "1:11: expected the device that an output leads to, or none, found '}'"},
    {"a: T { -> x }", "1:13: expected '@' and the number of an input, found '}'"},
    {"a: T { -> x@y }", "1:13: expected the number of an input, found 'y'"},
    {"a: T { -> x#y@1 }", "1:13: expected a local index after '#', found 'y'"},
    {"a: T { -> x@0x80000000 }", "1:13: expected a line number below 2^31"},
    {"a: T { -> x@1 | }", "1:17: expected the device that an output leads to, or none, found '}'"},
    {"a: T { [0-3] -> x@[1-2] }", "1:17: expected 4 inputs, as many as outputs, found 2"},
    {"a: T { -> x@1-2 }", "1:11: expected 1 inputs, as many as outputs, found 2"},
    {"a: T { [0-] -> x@[1] }", "1:11: expected the last number of a range, found ']'"},
    {"a: T { [0 1] -> x@[1] }", "1:11: expected ',' or ']' after a line number, found '1'"},
    {"a: T { [] -> x@[1] }", "1:9: expected a number or name of an output, found ']'"},
    {"a: T { 1.5 -> x@1 }", "1:8: expected a number or name of an output, found '1.5'"},
    /* Sections. */
    {"a:\n    init\n        X", "3:9: expected ':', found an indented line"},
    {"a:\n    init: X", "2:11: expected indented lines or '{', found 'X'"},
    {"a: { init: { X { } }", "1:16: expected the end of the section, found '{'"},
    {"a: { init: { X \"y } }", "1:16: expected '\"' before the end of the line, to end this string"},
    {"a: { init: { X /* y } }", "1:16: expected '*/' for the comment that begins here, found the end of the file"},
    {"a: { init: { X", "1:15: expected the end of the section, found the end of the file"},
    {"a:\n    init:\n        X\n            Y", "4:13: expected the end of the section, found an indented line"},
};

static void check_mistake(const char *in, size_t len, const char *message) {
    Arena arena = {0};
    Err err = {0};
    assert_null(repl_parse(&arena, "f", in, len, &err));
    assert_memory_equal(err.text, "f:", 2);
    assert_string_equal(err.text + 2, message);
    arena_free(&arena);
}

static void test_mistakes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        check_mistake(mistakes[i].in, strlen(mistakes[i].in), mistakes[i].out);
    }
    check_mistake("a: T\0", 5, "1:5: expected a name, a number or a mark, found byte 0x00");
    check_mistake("a: { init: { X\0 } }", 19, "1:15: expected a name, a number or a mark, found byte 0x00");
}

/* Sizes and depths that no honest file has. */
static void test_limits(void **state) {
    (void)state;
    size_t n = REPL_BYTES_MAX + 1;
    char *text = mem_alloc(n);
    check_mistake(text, n, "1:1: expected a platform file of at most 4 MiB");
    strcpy(text, "a: T { b: ");
    memset(text + 10, '[', 1 << 20);
    check_mistake(text, 1 << 20, "1:43: expected at most 32 objects, lists and dictionaries in each other");
    for (size_t i = 0; i < 1 << 20; i += 8) {
        memcpy(text + i, "a: T {};", 8);
    }
    Arena arena = {0};
    Err err = {0};
    const ReplFile *file = repl_parse(&arena, "f", text, 1 << 20, &err);
    assert_non_null(file);
    size_t entries = 0;
    for (const ReplEntry *e = file->entries; e; e = e->next) {
        entries++;
    }
    assert_int_equal(entries, (1 << 20) / 8);
    arena_free(&arena);
    mem_free(text);
}

/* ---- using ------------------------------------------------------------------------------------------------------ */

static void write_file(const char *dir, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

typedef struct Folder {
    char path[64];
    char sub[128];
} Folder;

static void folder_make(Folder *folder) {
    strcpy(folder->path, "/tmp/test_repl_XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->sub, sizeof folder->sub, "%s/cpus", folder->path);
    assert_int_equal(mkdir(folder->sub, 0700), 0);
}

static void folder_remove(const Folder *folder) {
    static const char *const names[] = {"main", "self", "twice", "none",     "prefix",    "long",
                                        "bad",  "far",  "dot",   "cpus/cpu", "cpus/peer", "cpus/loop"};
    char path[256];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s.repl", folder->path, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder->sub), 0);
    assert_int_equal(rmdir(folder->path), 0);
}

static const char base_text[] = "x: T";
static const char microbit_text[] = "using \"base\"\nusing \"none.repl\"";
static const char mps2_text[] = "using \"boards/base.repl\"\nm: T";
static const EmbeddedFile boards[] = {{"base", base_text, sizeof base_text - 1},
                                      {"microbit", microbit_text, sizeof microbit_text - 1},
                                      {"mps2", mps2_text, sizeof mps2_text - 1}};

static void test_using_finds(void **state) {
    (void)state;
    Folder folder;
    folder_make(&folder);
    write_file(folder.path, "main.repl",
               "using \"./cpus/cpu.repl\" prefixed \"p_\"\nusing \"peer.repl\"\nusing \"platforms/mps2.repl\"\na: T");
    write_file(folder.sub, "cpu.repl", "using \"../cpus/./peer.repl\" prefixed \"q_\"\nc: T");
    write_file(folder.sub, "peer.repl", "d: T");
    char path[128];
    snprintf(path, sizeof path, "%s/main.repl", folder.path);
    const char *dirs[] = {"/nonexistent", folder.sub};
    ReplSearch search = {dirs, ARRAY_LEN(dirs), boards, ARRAY_LEN(boards)};
    Arena arena = {0};
    Err err = {0};
    const ReplFile *file = repl_load(&arena, path, &search, &err);
    assert_string_equal(err.text, "");
    assert_non_null(file);
    const ReplUsing *cpu = file->usings, *peer = cpu->next, *mps2 = peer->next;
    assert_string_equal(cpu->file->prefix, "p_");
    assert_string_equal(cpu->file->entries->name, "c");
    assert_string_equal(cpu->file->usings->file->prefix, "p_q_");
    assert_string_equal(peer->file->prefix, "");
    assert_string_equal(peer->file->path, cpu->file->usings->file->path);
    assert_ptr_not_equal(peer->file, cpu->file->usings->file);
    assert_string_equal(mps2->file->path, "<built-in>/mps2.repl");
    assert_string_equal(mps2->file->usings->file->entries->name, "x");
    arena_free(&arena);
    folder_remove(&folder);
}

/* Files of Renode's tree name others from its root; what stands beside comes first. */
static void test_using_above(void **state) {
    (void)state;
    Folder folder;
    folder_make(&folder);
    write_file(folder.sub, "cpu.repl", "using \"cpus/peer.repl\"\nusing \"main.repl\" prefixed \"p\"\nc: T");
    write_file(folder.sub, "peer.repl", "d: T");
    write_file(folder.path, "main.repl", "e: T");
    char path[256];
    snprintf(path, sizeof path, "%s/cpu.repl", folder.sub);
    Arena arena = {0};
    Err err = {0};
    const ReplFile *file = repl_load(&arena, path, NULL, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(file->usings->file->entries->name, "d");
    assert_string_equal(file->usings->next->file->entries->name, "e");
    write_file(folder.sub, "cpu.repl", "using \"./cpus/peer.repl\"");
    assert_null(repl_load(&arena, path, NULL, &err));
    arena_free(&arena);
    folder_remove(&folder);
}

/* In message, ^ stands for the file's path and % for its folder. */
static void check_using(const Folder *folder, const char *name, const char *text, const char *message) {
    char path[128];
    Text wanted = {.len = 0};
    write_file(folder->path, name, text);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    for (const char *p = message; *p; p++) {
        if (*p == '^' || *p == '%') {
            add(&wanted, "%s", *p == '^' ? path : folder->path);
        } else {
            add(&wanted, "%c", *p);
        }
    }
    ReplSearch search = {NULL, 0, boards, ARRAY_LEN(boards)};
    Arena arena = {0};
    Err err = {0};
    assert_null(repl_load(&arena, path, &search, &err));
    assert_string_equal(err.text, wanted.chars);
    arena_free(&arena);
}

static void test_using_mistakes(void **state) {
    (void)state;
    Folder folder;
    folder_make(&folder);
    write_file(folder.sub, "loop.repl", "using \"./../far.repl\"");
    write_file(folder.sub, "cpu.repl", "a: $");
    check_using(&folder, "self.repl", "\nusing \"./self.repl\"",
                "^:2:1: expected no file that is being read already: ^ uses itself");
    check_using(&folder, "far.repl", "using \"cpus/loop.repl\"",
                "%/cpus/loop.repl:1:1: expected no file that is being read already: ^ uses itself");
    check_using(&folder, "twice.repl", "using \"base\"\nusing \"x/base.repl\"",
                "^:2:1: expected each file once: <built-in>/base.repl is used in line 1 already");
    check_using(&folder, "none.repl", "using \"a/microbot\"",
                "^:1:1: expected a platform file, but 'a/microbot' is neither in the search path nor built in; "
                "the nearest built-in board is 'microbit'");
    check_using(&folder, "dot.repl", "using \"./base\"",
                "^:1:1: expected a platform file, but './base' is neither in the search path nor built in; "
                "the nearest built-in board is 'base'");
    check_using(&folder, "prefix.repl", "using \"base\" prefixed \"1\"",
                "^:1:1: expected a prefix of letters, digits and _ that begins with a letter");
    check_using(&folder, "long.repl",
                "using \"base\" prefixed \"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcde\"",
                "^:1:1: expected a prefix of at most 64 characters");
    check_using(&folder, "bad.repl", "using \"./cpus/cpu.repl\"",
                "%/cpus/cpu.repl:1:4: expected a name, a number or a mark, found '$'");
    folder_remove(&folder);
}

static void test_boards(void **state) {
    (void)state;
    ReplSearch search = {NULL, 0, boards, ARRAY_LEN(boards)};
    Arena arena = {0};
    Err err = {0};
    assert_non_null(repl_load_board(&arena, "mps2", &search, &err));
    assert_null(repl_load_board(&arena, "mps3", &search, &err));
    assert_string_equal(err.text, "no machine 'mps3'; did you mean 'mps2'? (orrery list machines)");
    /* What lies in the working directory must not change a board. */
    assert_null(repl_load_board(&arena, "microbit", &search, &err));
    assert_string_equal(err.text, "<built-in>/microbit.repl:2:1: expected a platform file, but 'none.repl' is neither "
                                  "in the search path nor built in");
    assert_null(repl_load(&arena, "/nonexistent.repl", NULL, &err));
    assert_string_equal(err.text,
                        "expected a platform file, but '/nonexistent.repl' is neither in the search path nor built in");
    arena_free(&arena);
}

/* Files that use each other's neighbours under ever new prefixes would be 2^n files. */
static void test_using_explosion(void **state) {
    (void)state;
    EmbeddedFile many[12];
    char names[12][8], texts[12][96];
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(names[i], sizeof names[i], "f%u", i);
        snprintf(texts[i], sizeof texts[i], "using \"f%u\" prefixed \"a\"\nusing \"f%u\" prefixed \"b\"", i + 1, i + 1);
        many[i] = (EmbeddedFile){names[i], texts[i], strlen(texts[i])};
    }
    many[11] = (EmbeddedFile){names[11], "x: T", 4};
    ReplSearch search = {NULL, 0, many, ARRAY_LEN(many)};
    Arena arena = {0};
    Err err = {0};
    assert_null(repl_load_board(&arena, "f0", &search, &err));
    assert_non_null(strstr(err.text, "expected at most 256 uses of files in all"));
    assert_non_null(repl_load_board(&arena, "f6", &search, &err));
    arena_free(&arena);
}

static void test_using_limits(void **state) {
    (void)state;
    EmbeddedFile chain[REPL_USING_DEPTH_MAX + 1];
    char names[ARRAY_LEN(chain)][8], texts[ARRAY_LEN(chain)][32];
    for (unsigned i = 0; i < ARRAY_LEN(chain); i++) {
        snprintf(names[i], sizeof names[i], "f%u", i);
        snprintf(texts[i], sizeof texts[i], "using \"f%u\"", i + 1);
        chain[i] = (EmbeddedFile){names[i], texts[i], strlen(texts[i])};
    }
    chain[ARRAY_LEN(chain) - 1] = (EmbeddedFile){names[ARRAY_LEN(chain) - 1], "x: T", 4};
    ReplSearch search = {NULL, 0, chain, ARRAY_LEN(chain)};
    Arena arena = {0};
    Err err = {0};
    assert_non_null(repl_load_board(&arena, "f1", &search, &err));
    assert_null(repl_load_board(&arena, "f0", &search, &err));
    assert_string_equal(err.text, "<built-in>/f15.repl:1:1: expected at most 16 files that use each other");

    char *blank = mem_alloc(REPL_BYTES_MAX);
    memset(blank, '\n', REPL_BYTES_MAX);
    static const char all[] = "using \"f0\"\nusing \"f1\"\nusing \"f2\"\nusing \"f3\"\nusing \"f4\"";
    for (unsigned i = 0; i < 5; i++) {
        chain[i] = (EmbeddedFile){names[i], blank, REPL_BYTES_MAX};
    }
    assert_null(repl_load_text(&arena, "f", all, sizeof all - 1, &search, &err));
    assert_string_equal(err.text, "<built-in>/f4.repl:1:1: expected at most 16 MiB of platform files in all");
    mem_free(blank);
    arena_free(&arena);
}

static void test_file_size(void **state) {
    (void)state;
    char path[] = "/tmp/test_repl_XXXXXX", wanted[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0 && ftruncate(fd, REPL_BYTES_MAX + 1) == 0);
    close(fd);
    snprintf(wanted, sizeof wanted, "%s:1:1: expected a platform file of at most 4 MiB", path);
    Arena arena = {0};
    Err err = {0};
    assert_null(repl_load(&arena, path, NULL, &err));
    assert_string_equal(err.text, wanted);
    arena_free(&arena);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),   cmocka_unit_test(test_positions),       cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_using_finds), cmocka_unit_test(test_using_above),
        cmocka_unit_test(test_using_mistakes),
        cmocka_unit_test(test_boards),    cmocka_unit_test(test_using_explosion), cmocka_unit_test(test_using_limits),
        cmocka_unit_test(test_file_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
