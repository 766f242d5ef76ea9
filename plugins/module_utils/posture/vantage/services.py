# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""TCP ports by the service that is usually behind them on and around GPU hosts; numbers are the services' defaults."""

from __future__ import annotations

WELL_KNOWN: dict[int, str] = {
    21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 79: "finger", 80: "http", 110: "pop3", 111: "rpcbind",
    139: "smb", 143: "imap", 389: "ldap", 443: "https", 445: "smb", 512: "rexec", 513: "rlogin", 514: "rsh",
    623: "ipmi", 631: "cups", 873: "rsync", 1883: "mqtt", 2049: "nfs", 2375: "docker", 2376: "docker over tls",
    2379: "etcd", 2380: "etcd peer", 3000: "grafana", 3128: "squid", 3260: "iscsi", 3306: "mysql", 3389: "rdp",
    4646: "nomad", 5000: "mlflow or registry", 5201: "iperf3", 5432: "postgresql", 5555: "dcgm", 5672: "amqp",
    5900: "vnc", 6000: "x11", 6006: "tensorboard", 6379: "redis or ray", 6443: "kubernetes api", 6817: "slurmctld",
    6818: "slurmd", 6819: "slurmdbd", 7860: "gradio", 8000: "vllm or triton", 8001: "triton grpc",
    8002: "triton metrics", 8008: "http", 8080: "http or llama.cpp", 8081: "http", 8188: "comfyui",
    8265: "ray dashboard", 8443: "https", 8500: "consul", 8501: "streamlit", 8786: "dask scheduler",
    8787: "dask dashboard", 8888: "jupyter", 9000: "minio or s3", 9001: "minio console", 9090: "prometheus or cockpit",
    9091: "pushgateway", 9092: "kafka", 9100: "node exporter", 9200: "elasticsearch", 9400: "dcgm exporter",
    9443: "https", 10001: "ray client", 10250: "kubelet", 10255: "kubelet read-only", 11211: "memcached",
    11434: "ollama", 15672: "rabbitmq", 18789: "agent gateway", 19530: "milvus", 27017: "mongodb", 29500: "torchrun",
    30000: "sglang", 50051: "grpc",
}  # fmt: skip
