/* SPDX-License-Identifier: MIT */
/*
 * vsnprintf: one pass over the format; each conversion is parsed into a struct spec and printed
 * through put(), which counts everything and stores what fits. No floating point, no %n, no locale.
 * Callable from every context: no locks, no memory but the caller's, little stack.
 */
#include "lib/printf.h"

#include "lib/string.h"

struct out {
    char *buf;
    size_t size, len; /* len may pass size: the length the whole text would have */
};

struct spec {
    bool left, zero, plus, alt, space, has_precision;
    int width, precision;
    int bytes; /* of the integer argument */
    char conversion;
};

static void put(struct out *o, char c)
{
    if (o->len < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_many(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        put(o, c);
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    int pad = s->width - (int)len;

    if (!s->left)
        put_many(o, ' ', pad);
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        put_many(o, ' ', pad);
}

/* Digits from the last to the first, ending before end; their count. */
static int format_digits(char *end, uint64_t v, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char *p = end;

    for (; v; v /= base)
        *--p = digits[v % base];
    return end - p;
}

static const char *number_prefix(const struct spec *s, uint64_t v, bool negative)
{
    if (negative)
        return "-";
    switch (s->conversion) {
    case 'd': return s->plus ? "+" : s->space ? " " : "";
    case 'p': return "0x";
    case 'x': return s->alt && v ? "0x" : "";
    case 'X': return s->alt && v ? "0X" : "";
    default: return "";
    }
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, bool negative)
{
    char digits[24];
    char *end = digits + sizeof(digits);
    unsigned base = s->conversion == 'o'                           ? 8
                    : s->conversion == 'd' || s->conversion == 'u' ? 10
                                                                   : 16;
    int n = format_digits(end, v, base, s->conversion == 'X');
    const char *prefix = number_prefix(s, v, negative);
    int zeros = (s->has_precision ? s->precision : 1) - n;
    int pad;

    if (s->conversion == 'o' && s->alt && zeros <= 0)
        zeros = 1;
    zeros = MAX(zeros, 0);
    pad = s->width - (int)strlen(prefix) - zeros - n;
    if (s->zero && !s->left && !s->has_precision && pad > 0)
        zeros += pad, pad = 0;
    if (!s->left)
        put_many(o, ' ', pad);
    for (; *prefix; prefix++)
        put(o, *prefix);
    put_many(o, '0', zeros);
    for (const char *p = end - n; p < end; p++)
        put(o, *p);
    if (s->left)
        put_many(o, ' ', pad);
}

static const char *parse_flags(const char *f, struct spec *s)
{
    for (;; f++) {
        switch (*f) {
        case '-': s->left = true; break;
        case '0': s->zero = true; break;
        case '+': s->plus = true; break;
        case '#': s->alt = true; break;
        case ' ': s->space = true; break;
        default: return f;
        }
    }
}

static const char *parse_count(const char *f, int *val)
{
    for (; *f >= '0' && *f <= '9'; f++)
        *val = MIN(*val * 10 + (*f - '0'), 1 << 20);
    return f;
}

static const char *parse_length(const char *f, struct spec *s)
{
    switch (*f) {
    case 'l': s->bytes = 8; return f[1] == 'l' ? f + 2 : f + 1;
    case 'z':
    case 't':
    case 'j': s->bytes = 8; return f + 1;
    case 'h': s->bytes = f[1] == 'h' ? 1 : 2; return f[1] == 'h' ? f + 2 : f + 1;
    default: s->bytes = 4; return f;
    }
}

static uint64_t narrow(uint64_t v, int bytes, bool is_signed)
{
    unsigned shift = 64 - 8 * bytes;

    return is_signed ? (uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    if (!text)
        text = "(null)";
    put_padded(o, s, text, s->has_precision ? strnlen(text, s->precision) : strlen(text));
}

static void set_width(struct spec *s, int width)
{
    s->left |= width < 0;
    s->width = width < 0 ? -width : width;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, size, 0};

    for (; *fmt; fmt++) {
        struct spec s = {0};
        const char *start = fmt;
        uint64_t v;
        char c;

        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt = parse_flags(fmt + 1, &s);
        if (*fmt == '*')
            set_width(&s, va_arg(ap, int)), fmt++;
        else
            fmt = parse_count(fmt, &s.width);
        if (*fmt == '.') {
            s.has_precision = true;
            if (*++fmt == '*') {
                s.precision = va_arg(ap, int), fmt++;
                s.has_precision = s.precision >= 0;
            } else {
                fmt = parse_count(fmt, &s.precision);
            }
        }
        fmt = parse_length(fmt, &s);
        s.conversion = *fmt == 'i' ? 'd' : *fmt;
        switch (s.conversion) {
        case 'd':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            v = s.bytes == 8 ? va_arg(ap, uint64_t) : va_arg(ap, unsigned);
            v = narrow(v, s.bytes, s.conversion == 'd');
            if (s.conversion == 'd' && (int64_t)v < 0)
                put_number(&o, &s, -v, true);
            else
                put_number(&o, &s, v, false);
            break;
        case 'p': put_number(&o, &s, (uintptr_t)va_arg(ap, void *), false); break;
        case 's': put_string(&o, &s, va_arg(ap, const char *)); break;
        case 'c':
            c = va_arg(ap, int);
            put_padded(&o, &s, &c, 1);
            break;
        case '%': put(&o, '%'); break;
        default: /* unknown: shown as it stands; its argument cannot be skipped */
            for (; start < fmt; start++)
                put(&o, *start);
            fmt--;
            break;
        }
    }
    if (size)
        buf[MIN(o.len, size - 1)] = '\0';
    return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
