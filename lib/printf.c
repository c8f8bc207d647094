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
    bool left, zero, is_long, has_precision;
    int width, precision;
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

/* Padding, prefix, zeros and text, as wide as the conversion wants it. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, int zeros,
                      const char *text, int len)
{
    int pad = s->width - (int)strlen(prefix) - zeros - len;

    if (!s->left)
        put_many(o, ' ', pad);
    for (; *prefix; prefix++)
        put(o, *prefix);
    put_many(o, '0', zeros);
    for (int i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        put_many(o, ' ', pad);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, const char *prefix)
{
    unsigned base = s->conversion == 'o'                           ? 8
                    : s->conversion == 'd' || s->conversion == 'u' ? 10
                                                                   : 16;
    char digits[24];
    char *end = digits + sizeof(digits), *p = end;
    int n, zeros;

    for (; v; v /= base)
        *--p = "0123456789abcdef"[v % base];
    n = (int)(end - p);
    zeros = (s->has_precision ? s->precision : 1) - n;
    if (s->zero && !s->left && !s->has_precision)
        zeros = MAX(zeros, s->width - (int)strlen(prefix) - n);
    put_field(o, s, prefix, MAX(zeros, 0), p, n);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    if (!text)
        text = "(null)";
    put_field(o, s, "", 0, text,
              (int)(s->has_precision ? strnlen(text, s->precision) : strlen(text)));
}

/* A number of the format, or the next argument for '*'; ap is the caller's own. */
static const char *parse_count(const char *f, int *val, va_list *ap)
{
    if (*f == '*') {
        *val = va_arg(*ap, int);
        return f + 1;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        *val = MIN(*val * 10 + (*f - '0'), 1 << 20);
    return f;
}

/* Flags, width, precision, length and conversion behind the '%'; gives the conversion's place. */
static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    for (; *f == '-' || *f == '0'; f++) {
        s->left |= *f == '-';
        s->zero |= *f == '0';
    }
    f = parse_count(f, &s->width, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*f == '.') {
        f = parse_count(f + 1, &s->precision, ap);
        s->has_precision = s->precision >= 0;
    }
    for (; *f == 'l' || *f == 'z'; f++)
        s->is_long = true;
    s->conversion = *f == 'i' ? 'd' : *f;
    return f;
}

/* True if the conversion is known. */
static bool convert(struct out *o, const struct spec *s, va_list *ap)
{
    int64_t v;
    char c;

    switch (s->conversion) {
    case 'd':
        v = s->is_long ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0 ? "-" : "");
        return true;
    case 'u':
    case 'x':
    case 'o':
        put_number(o, s, s->is_long ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned), "");
        return true;
    case 'p': put_number(o, s, (uintptr_t)va_arg(*ap, void *), "0x"); return true;
    case 's': put_string(o, s, va_arg(*ap, const char *)); return true;
    case 'c':
        c = (char)va_arg(*ap, int);
        put_field(o, s, "", 0, &c, 1);
        return true;
    case '%': put(o, '%'); return true;
    default: return false;
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = {buf, size, 0};
    va_list ap; /* a parameter of this type may be an array: its address would be another type */

    va_copy(ap, args);
    for (; *fmt; fmt++) {
        struct spec s = {0};
        const char *start = fmt;

        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s, &ap);
        if (convert(&o, &s, &ap))
            continue;
        for (; start < fmt; start++) /* unknown: as it stands; its argument cannot be skipped */
            put(&o, *start);
        fmt--;
    }
    va_end(ap);
    if (size)
        buf[MIN(o.len, size - 1)] = '\0';
    return (int)o.len;
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
