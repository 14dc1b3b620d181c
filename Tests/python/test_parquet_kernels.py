"""Every kernel that `parquet-tool kernels` times still runs; how fast is for the benchmark to say."""

from support.parquet_tool import tool


def test_every_kernel_runs():
    kernels = tool("kernels", "--runs", 1)
    assert len(kernels) > 20
    assert len({kernel["kernel"] for kernel in kernels}) == len(kernels)
    assert all(kernel.keys() == {"kernel", "mb_per_second"} for kernel in kernels)
