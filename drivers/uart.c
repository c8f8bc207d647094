/* SPDX-License-Identifier: MIT */
/*
 * The 16550 UART behind the console. Two ways out: uart_put() queues in a ring that the transmit
 * interrupt empties in batches of the FIFO's size, and uart_write() polls, for kernel messages. A
 * polled write empties the ring first, so that the two keep their order.
 *
 * [1] The transmit interrupt is enabled exactly while the ring holds bytes (`transmitting`), the
 *     receive interrupt exactly while bytes are wanted (`receiving`): what is not taken stays in the
 *     FIFO, and holds up the sender.
 * [2] The lock is unranked and waited for with a limit: a panic may come while any lock is held,
 *     this one included. Nothing is logged while it is held.
 * [3] Hooks are called from the interrupt handler, without the lock.
 */
#include <linux/serial_reg.h>

#include "arch/arch.h"
#include "drivers/block.h"
#include "drivers/device.h"
#include "lib/log.h"
#include "lib/spinlock.h"

enum { RING_SIZE = 4096, LOW_WATER = RING_SIZE / 4, FIFO_SIZE = 16 };
#define STUCK_NS 200000000UL

static struct {
    struct spinlock lock;
    volatile uint8_t *regs;
    bool receiving;
    bool transmitting;   /* see [1] */
    unsigned head, tail; /* free-running: head - tail bytes are queued */
    char ring[RING_SIZE];
} uart = {.lock = SPINLOCK_INIT(RANK_NONE, "uart")};

void (*uart_receive)(const char *s, size_t len);
void (*uart_drained)(void);

static uint8_t reg_read(unsigned reg)
{
    return mmio_read8(uart.regs + reg);
}

static void reg_write(unsigned reg, uint8_t val)
{
    mmio_write8(uart.regs + reg, val);
}

static size_t queued(void)
{
    return uart.head - uart.tail;
}

/* True when the transmit FIFO is empty: room for FIFO_SIZE bytes. */
static bool fifo_empty(void)
{
    return reg_read(UART_LSR) & UART_LSR_THRE;
}

/* A line that takes nothing (flow control, a stopped host terminal) must not stop the kernel. */
static bool wait_until(bool (*ready)(void))
{
    uint64_t deadline = arch_time_ns() + STUCK_NS;

    while (!ready())
        if (arch_time_ns() > deadline)
            return false;
    return true;
}

static void fill_fifo(void)
{
    for (unsigned n = 0; n < FIFO_SIZE && queued(); n++)
        reg_write(UART_TX, uart.ring[uart.tail++ % RING_SIZE]);
}

static void set_interrupts(bool receiving, bool transmitting)
{
    if (uart.receiving != receiving || uart.transmitting != transmitting)
        reg_write(UART_IER, (receiving ? UART_IER_RDI : 0) | (transmitting ? UART_IER_THRI : 0));
    uart.receiving = receiving;
    uart.transmitting = transmitting;
}

size_t uart_put(const char *s, size_t len)
{
    irqflags_t flags;
    size_t n = 0;

    if (!uart.regs)
        return len;
    flags = spin_lock_irqsave(&uart.lock);
    while (n < len && queued() < RING_SIZE)
        uart.ring[uart.head++ % RING_SIZE] = s[n++];
    if (!uart.transmitting && queued()) {
        if (fifo_empty())
            fill_fifo();
        set_interrupts(uart.receiving, queued());
    }
    spin_unlock_irqrestore(&uart.lock, flags);
    return n;
}

void uart_throttle(bool stop)
{
    irqflags_t flags = spin_lock_irqsave(&uart.lock);

    if (uart.regs)
        set_interrupts(!stop, uart.transmitting);
    spin_unlock_irqrestore(&uart.lock, flags);
}

size_t uart_output_pending(void)
{
    return uart.regs ? READ_ONCE(uart.head) - READ_ONCE(uart.tail) : 0;
}

bool uart_reserve(size_t len)
{
    return RING_SIZE - uart_output_pending() >= len;
}

static bool try_lock(void)
{
    return spin_trylock(&uart.lock);
}

void uart_write(const char *s, size_t len)
{
    irqflags_t flags = arch_irq_save();
    bool locked = wait_until(try_lock);

    while (queued() && wait_until(fifo_empty))
        fill_fifo();
    while (len && wait_until(fifo_empty))
        for (unsigned n = 0; n < FIFO_SIZE - 1 && len; n++, s++, len--) {
            if (*s == '\n')
                reg_write(UART_TX, '\r'), n++;
            reg_write(UART_TX, *s);
        }
    if (locked)
        spin_unlock(&uart.lock);
    arch_irq_restore(flags);
}

static void receive(void)
{
    char batch[FIFO_SIZE];
    size_t n;

    do {
        for (n = 0; n < sizeof(batch) && reg_read(UART_LSR) & UART_LSR_DR; n++)
            batch[n] = reg_read(UART_RX);
        if (n && uart_receive)
            uart_receive(batch, n);
    } while (n == sizeof(batch) && READ_ONCE(uart.receiving));
}

static void uart_interrupt(void *arg)
{
    bool wake = false;

    (void)arg;
    if (READ_ONCE(uart.receiving))
        receive();
    spin_lock(&uart.lock);
    if (uart.transmitting && fifo_empty()) {
        fill_fifo();
        set_interrupts(uart.receiving, queued());
        wake = queued() <= LOW_WATER; /* whoever waits for room, or for the end */
    }
    spin_unlock(&uart.lock);
    if (wake && uart_drained)
        uart_drained();
}

static int uart_probe(struct device *dev)
{
    int err;

    if (uart.regs)
        return -EBUSY;
    uart.regs = dev->regs;
    reg_write(UART_IER, 0);
    reg_write(UART_LCR, UART_LCR_WLEN8);
    /* The FIFOs are not cleared: what was typed during boot belongs to the first program. */
    reg_write(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_10);
    reg_write(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
    log_console_write = uart_write;
    err = irq_register(dev->irq, uart_interrupt, NULL);
    if (!err)
        uart_throttle(false);
    return err;
}

DRIVER(uart, "ns16550a", uart_probe, 1);
DRIVER(uart_plain, "ns16550", uart_probe, 1);
