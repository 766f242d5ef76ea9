// SPDX-License-Identifier: GPL-2.0-only
/*
 * dcbshim - IEEE 802.1Qaz DCB for network devices that have none
 *
 * Copyright: the Rampart authors
 *
 * Adds dcbnl_ops to existing software devices (virtio-net, veth, dummy), so
 * that dcb(8), lldpad and RDMA traffic meet on one interface of a test machine.
 * Settings are kept in memory and read back; no packet is scheduled by them.
 *
 * Locking: every dcbnl callback and every netdevice notifier runs under RTNL,
 * and so do attach and detach. RTNL therefore protects the list of shims and
 * all that is in them; a shim lives exactly as long as its device points to
 * dcbshim_ops. See README.md for the parameters and the counters.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/dcbnl.h>
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/version.h>
#include <net/dcbnl.h>

/* dcbnl_setapptrust() and dcbnl_getapptrust() came with Linux 6.3. */
#define DCBSHIM_HAS_APPTRUST (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0))

#define DCBSHIM_TRUST_MAX	8
#define DCBSHIM_DSCP_MAX	64

/* Buffer sizes and the default cable delay of a ConnectX-6 Dx at 100 Gb/s. */
#define DCBSHIM_BUFFER_TOTAL	524160
#define DCBSHIM_BUFFER_FIRST	262016
#define DCBSHIM_PFC_DELAY	7
#define DCBSHIM_PFC_DELAY_END	1000

/* bnxt offers two lossless queues. */
#define DCBSHIM_BNXT_PFC_MAX	2

enum dcbshim_quirk {
	DCBSHIM_QUIRK_NONE,
	DCBSHIM_QUIRK_MLX5,
	DCBSHIM_QUIRK_BNXT,
	DCBSHIM_QUIRK_ICE,
};

static const char * const dcbshim_quirk_names[] = {
	[DCBSHIM_QUIRK_NONE] = "none",
	[DCBSHIM_QUIRK_MLX5] = "mlx5",
	[DCBSHIM_QUIRK_BNXT] = "bnxt",
	[DCBSHIM_QUIRK_ICE] = "ice",
};

enum dcbshim_object {
	DCBSHIM_ETS,
	DCBSHIM_PFC,
	DCBSHIM_MAXRATE,
	DCBSHIM_BUFFER,
	DCBSHIM_APP,
	DCBSHIM_DCBX,
	DCBSHIM_TRUST,
	DCBSHIM_OBJECTS,
};

static const char * const dcbshim_object_names[DCBSHIM_OBJECTS] = {
	[DCBSHIM_ETS] = "ets",
	[DCBSHIM_PFC] = "pfc",
	[DCBSHIM_MAXRATE] = "maxrate",
	[DCBSHIM_BUFFER] = "buffer",
	[DCBSHIM_APP] = "app",
	[DCBSHIM_DCBX] = "dcbx",
	[DCBSHIM_TRUST] = "trust",
};

/* An entry of the core's application table that came through us. */
struct dcbshim_app {
	struct list_head list;
	struct dcb_app app;
};

/**
 * struct dcbshim - DCB state of one device
 * @list: entry in dcbshim_list
 * @dev: the device; not refcounted, the shim goes when it unregisters
 * @apps: application table entries to remove when the shim goes
 * @set_calls: set calls that reached the driver, rejected ones included
 * @link_toggles: how often a real adapter would have dropped its link
 * @ets: transmission selection
 * @pfc: priority flow control
 * @maxrate: rate limit of each traffic class, kbit/s
 * @buffer: receive buffers
 * @trust: selectors in order of trust
 * @ntrust: number of entries in @trust
 * @dcbx: DCBX mode
 * @ets_set: whether @ets was ever set
 */
struct dcbshim {
	struct list_head list;
	struct net_device *dev;
	struct list_head apps;
	unsigned long set_calls[DCBSHIM_OBJECTS];
	unsigned long link_toggles;
	struct ieee_ets ets;
	struct ieee_pfc pfc;
	struct ieee_maxrate maxrate;
	struct dcbnl_buffer buffer;
	u8 trust[DCBSHIM_TRUST_MAX];
	int ntrust;
	u8 dcbx;
	bool ets_set;
};

static LIST_HEAD(dcbshim_list);
static struct dentry *dcbshim_debugfs;
static atomic_long_t dcbshim_set_calls = ATOMIC_LONG_INIT(0);

/* Parameters */

static char *ifnames = "";
module_param(ifnames, charp, 0444);
MODULE_PARM_DESC(ifnames, "Comma-separated names of the devices that get DCB");

static int dcbshim_quirk;

static int dcbshim_quirk_set(const char *text, const struct kernel_param *kp)
{
	int found;

	if (sysfs_streq(text, "")) {
		WRITE_ONCE(dcbshim_quirk, DCBSHIM_QUIRK_NONE);
		return 0;
	}
	found = sysfs_match_string(dcbshim_quirk_names, text);
	if (found < 0)
		return found;
	WRITE_ONCE(dcbshim_quirk, found);
	return 0;
}

static int dcbshim_quirk_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%s\n",
			  dcbshim_quirk_names[READ_ONCE(dcbshim_quirk)]);
}

static const struct kernel_param_ops dcbshim_quirk_param = {
	.set = dcbshim_quirk_set,
	.get = dcbshim_quirk_get,
};
module_param_cb(quirk, &dcbshim_quirk_param, NULL, 0644);
MODULE_PARM_DESC(quirk, "Refuse what this driver refuses: none, mlx5, bnxt or ice");

static int dcbshim_set_calls_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%ld\n", atomic_long_read(&dcbshim_set_calls));
}

static const struct kernel_param_ops dcbshim_set_calls_param = {
	.get = dcbshim_set_calls_get,
};
module_param_cb(set_calls, &dcbshim_set_calls_param, NULL, 0444);
MODULE_PARM_DESC(set_calls, "Set calls since loading, on all devices (read-only)");

static bool dcbshim_has_quirk(enum dcbshim_quirk quirk)
{
	return READ_ONCE(dcbshim_quirk) == quirk;
}

/* Shims */

static struct dcbshim *dcbshim_find(const struct net_device *dev)
{
	struct dcbshim *shim;

	ASSERT_RTNL();
	list_for_each_entry(shim, &dcbshim_list, list)
		if (shim->dev == dev)
			return shim;
	return NULL;
}

/* Only for dcbnl callbacks: a device that calls them has a shim. */
static struct dcbshim *dcbshim_count(const struct net_device *dev,
				     enum dcbshim_object object)
{
	struct dcbshim *shim = dcbshim_find(dev);

	shim->set_calls[object]++;
	atomic_long_inc(&dcbshim_set_calls);
	return shim;
}

/* Enhanced transmission selection */

static int dcbshim_getets(struct net_device *dev, struct ieee_ets *ets)
{
	*ets = dcbshim_find(dev)->ets;
	return 0;
}

static int dcbshim_check_ets(const struct ieee_ets *ets)
{
	unsigned int bandwidth = 0;
	bool shared = false;
	int i;

	for (i = 0; i < IEEE_8021QAZ_MAX_TCS; i++) {
		if (ets->prio_tc[i] >= IEEE_8021QAZ_MAX_TCS)
			return -EINVAL;
		if (ets->tc_tsa[i] != IEEE_8021QAZ_TSA_ETS)
			continue;
		shared = true;
		bandwidth += ets->tc_tx_bw[i];
	}
	return shared && bandwidth != 100 ? -EINVAL : 0;
}

static int dcbshim_setets(struct net_device *dev, struct ieee_ets *ets)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_ETS);
	int err;

	err = dcbshim_check_ets(ets);
	if (err)
		return err;
	shim->ets = *ets;
	shim->ets.ets_cap = IEEE_8021QAZ_MAX_TCS;
	shim->ets_set = true;
	return 0;
}

/* Priority flow control */

static int dcbshim_getpfc(struct net_device *dev, struct ieee_pfc *pfc)
{
	*pfc = dcbshim_find(dev)->pfc;
	return 0;
}

static int dcbshim_setpfc(struct net_device *dev, struct ieee_pfc *pfc)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_PFC);

	if (dcbshim_has_quirk(DCBSHIM_QUIRK_BNXT)) {
		/* bnxt_hwrm_queue_pfc_cfg() needs the queues that ETS made. */
		if (!shim->ets_set)
			return -EINVAL;
		if (hweight8(pfc->pfc_en) > DCBSHIM_BNXT_PFC_MAX)
			return -EINVAL;
	}
	/* mlx5_toggle_port_link() */
	if (pfc->pfc_en != shim->pfc.pfc_en)
		shim->link_toggles++;
	shim->pfc.pfc_en = pfc->pfc_en;
	shim->pfc.mbc = pfc->mbc;
	/* Like mlx5, any other delay is ignored without an error. */
	if (pfc->delay && pfc->delay < DCBSHIM_PFC_DELAY_END)
		shim->pfc.delay = pfc->delay;
	return 0;
}

/* Rate limits */

static int dcbshim_getmaxrate(struct net_device *dev,
			      struct ieee_maxrate *maxrate)
{
	*maxrate = dcbshim_find(dev)->maxrate;
	return 0;
}

static int dcbshim_setmaxrate(struct net_device *dev,
			      struct ieee_maxrate *maxrate)
{
	dcbshim_count(dev, DCBSHIM_MAXRATE)->maxrate = *maxrate;
	return 0;
}

/* Receive buffers */

static int dcbshim_getbuffer(struct net_device *dev,
			     struct dcbnl_buffer *buffer)
{
	*buffer = dcbshim_find(dev)->buffer;
	return 0;
}

static int dcbshim_setbuffer(struct net_device *dev,
			     struct dcbnl_buffer *buffer)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_BUFFER);
	u32 total = shim->buffer.total_size;
	u64 wanted = 0;
	int i;

	for (i = 0; i < IEEE_8021Q_MAX_PRIORITIES; i++)
		if (buffer->prio2buffer[i] >= DCBX_MAX_BUFFERS)
			return -EINVAL;
	for (i = 0; i < DCBX_MAX_BUFFERS; i++)
		wanted += buffer->buffer_size[i];
	if (wanted > total)
		return -EINVAL;
	shim->buffer = *buffer;
	shim->buffer.total_size = total;
	return 0;
}

/* Application table: the core keeps it, we keep what to take out of it. */

static struct dcbshim_app *dcbshim_find_app(const struct dcbshim *shim,
					    const struct dcb_app *app)
{
	struct dcbshim_app *entry;

	list_for_each_entry(entry, &shim->apps, list)
		if (entry->app.selector == app->selector &&
		    entry->app.protocol == app->protocol &&
		    entry->app.priority == app->priority)
			return entry;
	return NULL;
}

static int dcbshim_drop_app(struct dcbshim *shim, struct dcb_app *app)
{
	struct dcbshim_app *entry;
	int err;

	err = dcb_ieee_delapp(shim->dev, app);
	if (err)
		return err;
	entry = dcbshim_find_app(shim, app);
	if (entry) {
		list_del(&entry->list);
		kfree(entry);
	}
	return 0;
}

/* mlx5 and ice map a DSCP to one priority: mlx5 replaces, ice refuses. */
static int dcbshim_unmap_dscp(struct dcbshim *shim, const struct dcb_app *app)
{
	struct dcb_app old = *app;
	u8 mask;
	int err;
	u8 i;

	if (app->selector != IEEE_8021QAZ_APP_SEL_DSCP ||
	    app->protocol >= DCBSHIM_DSCP_MAX)
		return -EINVAL;
	mask = dcb_ieee_getapp_mask(shim->dev, &old);
	if (mask && dcbshim_has_quirk(DCBSHIM_QUIRK_ICE))
		return -EINVAL;
	for (i = 0; i < IEEE_8021Q_MAX_PRIORITIES; i++) {
		if (!(mask & BIT(i)))
			continue;
		old.priority = i;
		err = dcbshim_drop_app(shim, &old);
		if (err)
			return err;
	}
	return 0;
}

static int dcbshim_setapp(struct net_device *dev, struct dcb_app *app)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_APP);
	struct dcbshim_app *entry;
	int err;

	if (dcbshim_has_quirk(DCBSHIM_QUIRK_MLX5) ||
	    dcbshim_has_quirk(DCBSHIM_QUIRK_ICE)) {
		err = dcbshim_unmap_dscp(shim, app);
		if (err)
			return err;
	}
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	err = dcb_ieee_setapp(dev, app);
	if (err) {
		kfree(entry);
		return err;
	}
	entry->app = *app;
	list_add(&entry->list, &shim->apps);
	return 0;
}

static int dcbshim_delapp(struct net_device *dev, struct dcb_app *app)
{
	return dcbshim_drop_app(dcbshim_count(dev, DCBSHIM_APP), app);
}

/* DCBX mode */

static u8 dcbshim_getdcbx(struct net_device *dev)
{
	return dcbshim_find(dev)->dcbx;
}

static u8 dcbshim_setdcbx(struct net_device *dev, u8 mode)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_DCBX);

	/* There is no firmware that could run DCBX by itself. */
	if (mode & DCB_CAP_DCBX_LLD_MANAGED)
		return 1;
	shim->dcbx = mode;
	return 0;
}

/* Trust order */

#if DCBSHIM_HAS_APPTRUST
static int dcbshim_setapptrust(struct net_device *dev, u8 *selectors,
			       int count)
{
	struct dcbshim *shim = dcbshim_count(dev, DCBSHIM_TRUST);

	if (count > DCBSHIM_TRUST_MAX)
		return -EOPNOTSUPP;
	memcpy(shim->trust, selectors, count);
	shim->ntrust = count;
	return 0;
}

static int dcbshim_getapptrust(struct net_device *dev, u8 *selectors,
			       int *count)
{
	const struct dcbshim *shim = dcbshim_find(dev);

	memcpy(selectors, shim->trust, shim->ntrust);
	*count = shim->ntrust;
	return 0;
}
#endif

static const struct dcbnl_rtnl_ops dcbshim_ops = {
	.ieee_getets = dcbshim_getets,
	.ieee_setets = dcbshim_setets,
	.ieee_getpfc = dcbshim_getpfc,
	.ieee_setpfc = dcbshim_setpfc,
	.ieee_getmaxrate = dcbshim_getmaxrate,
	.ieee_setmaxrate = dcbshim_setmaxrate,
	.ieee_setapp = dcbshim_setapp,
	.ieee_delapp = dcbshim_delapp,
	.getdcbx = dcbshim_getdcbx,
	.setdcbx = dcbshim_setdcbx,
	.dcbnl_getbuffer = dcbshim_getbuffer,
	.dcbnl_setbuffer = dcbshim_setbuffer,
#if DCBSHIM_HAS_APPTRUST
	.dcbnl_setapptrust = dcbshim_setapptrust,
	.dcbnl_getapptrust = dcbshim_getapptrust,
#endif
};

/* Devices that come, change their name, and go */

static bool dcbshim_wanted(const char *name)
{
	const size_t length = strlen(name);
	const char *item = ifnames;

	while (*item) {
		const size_t end = strcspn(item, ",");

		if (end == length && !strncmp(item, name, length))
			return true;
		item += end;
		item += strspn(item, ",");
	}
	return false;
}

static void dcbshim_reset(struct dcbshim *shim)
{
	int i;

	shim->dcbx = DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE;
	shim->pfc.pfc_cap = IEEE_8021QAZ_MAX_TCS;
	shim->pfc.delay = DCBSHIM_PFC_DELAY;
	shim->ets.ets_cap = IEEE_8021QAZ_MAX_TCS;
	for (i = 0; i < IEEE_8021QAZ_MAX_TCS; i++) {
		shim->ets.prio_tc[i] = i;
		shim->ets.tc_tsa[i] = IEEE_8021QAZ_TSA_VENDOR;
	}
	/* IEEE 802.1Q: priority 0 ranks above priority 1; mlx5 does the same. */
	swap(shim->ets.prio_tc[0], shim->ets.prio_tc[1]);
	shim->buffer.buffer_size[0] = DCBSHIM_BUFFER_FIRST;
	shim->buffer.total_size = DCBSHIM_BUFFER_TOTAL;
}

static void dcbshim_attach(struct net_device *dev)
{
	struct dcbshim *shim;

	ASSERT_RTNL();
	if (dev->dcbnl_ops || !dcbshim_wanted(dev->name))
		return;
	shim = kzalloc(sizeof(*shim), GFP_KERNEL);
	if (!shim)
		return;
	shim->dev = dev;
	INIT_LIST_HEAD(&shim->apps);
	dcbshim_reset(shim);
	list_add_tail(&shim->list, &dcbshim_list);
	dev->dcbnl_ops = &dcbshim_ops;
	netdev_info(dev, "DCB by " KBUILD_MODNAME "\n");
}

static void dcbshim_detach(struct dcbshim *shim)
{
	struct dcbshim_app *entry, *next;

	ASSERT_RTNL();
	/* Deleting an entry asks for the DCBX mode: the operations go last. */
	list_for_each_entry_safe(entry, next, &shim->apps, list) {
		/* Of an unregistering device, the core may have been first. */
		dcb_ieee_delapp(shim->dev, &entry->app);
		list_del(&entry->list);
		kfree(entry);
	}
	shim->dev->dcbnl_ops = NULL;
	list_del(&shim->list);
	kfree(shim);
}

static int dcbshim_netdev_event(struct notifier_block *block,
				unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct dcbshim *shim;

	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_CHANGENAME:
		/* Registering a notifier replays this for all devices. */
		dcbshim_attach(dev);
		break;
	case NETDEV_UNREGISTER:
		shim = dcbshim_find(dev);
		if (shim)
			dcbshim_detach(shim);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block dcbshim_notifier = {
	.notifier_call = dcbshim_netdev_event,
};

/* Counters */

static int dcbshim_devices_show(struct seq_file *seq, void *unused)
{
	struct dcbshim *shim;
	int i;

	rtnl_lock();
	list_for_each_entry(shim, &dcbshim_list, list) {
		seq_printf(seq, "%s", netdev_name(shim->dev));
		for (i = 0; i < DCBSHIM_OBJECTS; i++)
			seq_printf(seq, " set_%s=%lu", dcbshim_object_names[i],
				   shim->set_calls[i]);
		seq_printf(seq, " link_toggles=%lu\n", shim->link_toggles);
	}
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dcbshim_devices);

/* Module */

static int __init dcbshim_init(void)
{
	int err;

	err = register_netdevice_notifier(&dcbshim_notifier);
	if (err)
		return err;
	dcbshim_debugfs = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("devices", 0400, dcbshim_debugfs, NULL,
			    &dcbshim_devices_fops);
	return 0;
}

static void __exit dcbshim_exit(void)
{
	struct dcbshim *shim, *next;

	/* Waits for readers, which take RTNL: not to be called under it. */
	debugfs_remove_recursive(dcbshim_debugfs);
	unregister_netdevice_notifier(&dcbshim_notifier);
	rtnl_lock();
	list_for_each_entry_safe(shim, next, &dcbshim_list, list)
		dcbshim_detach(shim);
	rtnl_unlock();
}

module_init(dcbshim_init);
module_exit(dcbshim_exit);

MODULE_AUTHOR("The Rampart authors");
MODULE_DESCRIPTION("IEEE 802.1Qaz DCB for network devices that have none");
MODULE_LICENSE("GPL");
